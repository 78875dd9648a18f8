import json
from pathlib import Path

import pytest

from regraft.cli import main
from regraft.core import Store, latest_run
from regraft.corpus import tables
from regraft.corpus.tokens import TokenStore
from regraft.lm.tiny import TinyConfig, make_tiny
from regraft.recipes import SAMPLES
from tests.corpus.given import make

CHAPTER = (
    "The package manager keeps a list of all files that belong to a package, and of the packages that this one needs. "
    "When you install a package with it, the manager looks for those packages first, and it asks you before it removes "
    "anything that is in the way of what you have asked for. That is why it is so rarely wrong to trust it with the "
    "upgrade of a machine that has been running for years."
)


def run(tmp_path: Path, *more: str) -> Store:
    assert main(["run", "curate", "--store", str(tmp_path / "store"), "--cache", str(tmp_path / "cache"), *more]) == 0
    return Store(tmp_path / "store")


def rows(store: Store, step: str, folder: str = "documents") -> list[dict[str, str]]:
    schema = tables.DOCUMENTS if folder == "documents" else tables.REJECTS
    return tables.read_shards(store.resolve(step).path, folder, schema).to_pylist()


def test_the_sample_pages_become_a_corpus_and_each_drop_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = run(tmp_path, "--sample", "40")
    printed = capsys.readouterr().out
    assert "corpus/filtered: " in printed
    assert len(rows(store, "corpus/raw")) == 40
    assert {row["language"] for row in rows(store, "corpus/clean")} == {"en", "zh"}
    assert not any("<html" in row["text"] for row in rows(store, "corpus/clean"))
    for reject in rows(store, "corpus/filtered", "rejects"):
        assert reject["reason"] in printed
    record = latest_run(store)
    assert record is not None
    assert list(record.steps)[-1] == "statistics"
    assert main(["rejects", "corpus/filtered", "--examples", "1", "--store", str(store.root)]) == 0
    assert capsys.readouterr().out.startswith("corpus/filtered: ")


def test_json_lines_are_cleaned_and_tokenized(tmp_path: Path) -> None:
    question = "Which command of the package manager removes a package with the files that configure it for good?"
    contacts = " Write to jane.roe@mail-example-company.com if it does not work for you on your machine."
    texts = [CHAPTER, CHAPTER + contacts, f"{CHAPTER[::-1]}", f"{CHAPTER.replace('package', 'module')} {question}", ""]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps({"body": text, "n": n}) + "\n" for n, text in enumerate(texts)) + "{broken\n")
    (tmp_path / "items.jsonl").write_text(json.dumps({"question": question, "answer": "purge"}) + "\n")
    model = make(make_tiny.step("model", TinyConfig()), tmp_path)
    store = run(
        tmp_path,
        *("--input", str(data), "--format", "jsonl", "--text", "body", "--source", "manual"),
        *("--benchmarks", str(tmp_path / "items.jsonl"), "--benchmark-text", "question"),
        *("--tokenizer", str(model.path / "model"), "--separator", ""),
    )
    assert [row["reason"] for row in rows(store, "corpus/raw", "rejects")] == ["empty", "broken_json"]
    assert [row["reason"] for row in rows(store, "corpus/decontaminated", "rejects")] == ["contaminated"]
    (kept,) = rows(store, "corpus/clean")
    assert "<EMAIL>" in kept["text"]
    assert kept["source"] == "manual"
    tokens = TokenStore.open(store.resolve("tokens").path)
    assert len(tokens) == 1
    assert store.resolve("statistics").manifest.metrics["tokens"] == len(tokens.tokens)


def test_wrong_calls_say_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "curate", "--store", str(tmp_path), "--input", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err
    data = str(SAMPLES / "debian" / "en")
    assert main(["run", "curate", "--store", str(tmp_path), "--input", data, "--format", "warc"]) == 2
    assert "no file in" in capsys.readouterr().err
