import json
from pathlib import Path

import pytest

from regraft.core import Execution, StepFailed, Store, open_artifact, run
from regraft.corpus import tables
from regraft.synthesis.questions import Sentence, cloze_en, definition_en, definition_zh, sentences, title_of
from regraft.synthesis.templates import TemplateQaConfig, template_qa
from tests.synthesis.given import PAGES, PagesConfig, digest, page_documents, pages


def sentence(text: str, following: str = "") -> Sentence:
    return Sentence(text=text, start=0, following=following)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("The kernel is a program that manages the hardware.", "What is the kernel?"),
        ("GRUB is a boot loader that reads many file systems.", "What is GRUB?"),
        ("Mirrors are the servers that hold a copy of the archive.", "What are mirrors?"),
    ],
)
def test_definitions_become_questions(text: str, question: str):
    assert definition_en(sentence(text), "") == (question, text)


@pytest.mark.parametrize(
    "text",
    ["This is a program that manages the hardware of it all.", "The kernel runs.", "It is a part of the system."],
)
def test_a_pointing_sentence_defines_nothing(text: str):
    assert definition_en(sentence(text), "") is None


def test_chinese_definitions():
    text = "内核是一种管理硬件的程序，它把处理器分配给程序。"
    assert definition_zh(sentence(text), "") == ("什么是内核？", text)
    assert definition_zh(sentence("它是一种管理硬件的程序，很重要。"), "") is None


def test_the_blank_hides_the_answer():
    pair = cloze_en(
        sentence("The package manager checks this signature before it trusts any list of files."), "Mirrors"
    )
    assert pair is not None
    question, answer = pair
    assert answer.split(".")[0] == "signature"
    assert "signature" not in question
    assert "____" in question


def test_sentences_keep_their_place():
    text = PAGES["mirrors"][1]
    found = list(sentences(text))
    assert len(found) == 4
    assert all(text[s.start :].startswith(s.text) for s in found)
    assert [bool(s.following) for s in found] == [True, False, True, False]


@pytest.mark.parametrize(
    ("line", "title"), [("Chapter 2. The kernel", "The kernel"), ("C.1. Sizes", "Sizes"), ("7", "7")]
)
def test_titles_lose_their_numbers(line: str, title: str):
    assert title_of(f"\n{line}\ntext") == title


def made(tmp_path: Path, config: TemplateQaConfig):
    store = Store(tmp_path)
    record = run([template_qa.step("qa", config, docs=pages.step("docs", PagesConfig()))], store, Execution())
    artifact = open_artifact(store.path(record.steps["qa"]))
    rows = tables.read(artifact.file("documents/00000.parquet"), tables.DOCUMENTS).to_pylist()
    return artifact, rows


def test_pairs_are_documents_that_name_their_parent(tmp_path: Path):
    artifact, rows = made(tmp_path, TemplateQaConfig(num_pairs=12))
    texts = {d.id: d.text for d in page_documents()}
    for row in rows:
        start = int(json.loads(row["meta"])["start"])
        answer = row["text"].split("\n\n")[1]
        assert (
            answer in texts[row["parents"][0]][start:] or answer.split(". ", 1)[1] in texts[row["parents"][0]][start:]
        )
    assert {row["language"] for row in rows} == {"en", "zh"}
    assert len({row["id"] for row in rows}) == len(rows) == artifact.manifest.metrics["documents"]
    assert artifact.manifest.metrics["pairs_short"] == 12 - len(rows)


def test_caps_hold(tmp_path: Path):
    _, rows = made(tmp_path, TemplateQaConfig(num_pairs=6, max_template_share=0.34, max_per_document=2))
    templates = [json.loads(row["meta"])["template"] for row in rows]
    parents = [row["parents"][0] for row in rows]
    assert max(map(templates.count, templates)) <= 2
    assert max(map(parents.count, parents)) <= 2


def test_the_size_is_bounded(tmp_path: Path):
    artifact, _ = made(tmp_path, TemplateQaConfig(max_bytes=500))
    assert 0 < int(str(artifact.manifest.metrics["bytes"])) <= 500


def test_a_language_without_documents_is_an_error(tmp_path: Path):
    with pytest.raises(StepFailed, match="languages"):
        made(tmp_path, TemplateQaConfig(languages=("fr",)))


def test_golden(tmp_path: Path):
    _, rows = made(tmp_path, TemplateQaConfig(num_pairs=4))
    assert digest(rows) == "cef8398e5f9e5466"
