import json
from pathlib import Path
from typing import Any

import pytest

from regraft.core import ConfigError, RawFiles, StepFailed
from regraft.corpus import tables
from regraft.mixture.topics import TopicConfig, label_topics
from tests.mixture.conftest import annotation, corpus, make

DOCS = (
    ("zh", "安装软件包之前先更新软件包列表。"),
    ("en", "The network interface is configured by a rule of the firewall."),
    ("en", "The package depends on other packages of the archive."),
)
TAXONOMY = ("Packages", "Networks")


def step(seeds: Path, **fields: Any):
    config = TopicConfig(taxonomy=TAXONOMY, seeds=RawFiles(root=str(seeds)), **fields)
    return label_topics.step("topics", config, docs=corpus(*DOCS))


def test_documents_of_two_languages_get_their_topic_in_order(seeds: Path, tmp_path: Path) -> None:
    artifact = make(step(seeds), tmp_path)
    rows = annotation(artifact, tables.TOPICS)
    assert [(row["id"], row["topic"]) for row in rows] == [("d0", "Packages"), ("d1", "Networks"), ("d2", "Packages")]
    assert [row["probability"] for row in rows] == pytest.approx([0.818805, 0.792106, 0.668537], abs=1e-4)
    assert artifact.manifest.metrics == {
        "seeds": 10,
        "cross_validated_accuracy": 0.7,
        "documents": 3,
        "documents: Packages": 2,
        "documents: Networks": 1,
        "documents: Others": 0,
    }


def test_a_document_below_the_threshold_is_others_with_its_probability_kept(seeds: Path, tmp_path: Path) -> None:
    artifact = make(step(seeds, threshold=0.999), tmp_path)
    rows = annotation(artifact, tables.TOPICS)
    assert {row["topic"] for row in rows} == {"Others"}
    assert all(0.5 <= row["probability"] < 0.999 for row in rows)
    assert artifact.manifest.metrics["documents: Others"] == 3


def test_a_test_file_is_measured_and_not_learned_from(seeds: Path, tmp_path: Path) -> None:
    test = tmp_path / "test.jsonl"
    lines = [{"text": DOCS[1][1], "topic": "Packages"}, {"text": DOCS[0][1], "topic": "Packages"}]
    test.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    metrics = make(step(seeds, test=RawFiles(root=str(test))), tmp_path).manifest.metrics
    assert (metrics["test_examples"], metrics["test_accuracy"], metrics["seeds"]) == (2, 0.5, 10)


def test_an_empty_corpus_gives_an_empty_annotation(seeds: Path, tmp_path: Path) -> None:
    config = TopicConfig(taxonomy=TAXONOMY, seeds=RawFiles(root=str(seeds)))
    assert annotation(make(label_topics.step("topics", config, docs=corpus()), tmp_path), tables.TOPICS) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "x", "topic": "Sports"}', r"seeds\.jsonl:11 has the topic 'Sports', which is none of"),
        ('{"text": "x"', r"seeds\.jsonl:11 is no JSON object"),
        ('{"text": "x"}', r"seeds\.jsonl:11 is no JSON object with text and topic: KeyError"),
        ('{"text": " ", "topic": "Networks"}', r"seeds\.jsonl:11 has no text"),
        ("[1]", r"seeds\.jsonl:11 is no JSON object"),
    ],
)
def test_a_broken_seed_is_named_by_file_and_line(seeds: Path, tmp_path: Path, line: str, message: str) -> None:
    seeds.write_text(seeds.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(StepFailed, match=message):
        make(step(seeds), tmp_path)


def test_too_few_seeds_of_a_topic_are_refused_with_their_counts(seeds: Path, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"6 folds .* there are \{'Networks': 5, 'Packages': 5\}"):
        make(step(seeds, folds=6), tmp_path)


def test_a_taxonomy_names_each_topic_once() -> None:
    with pytest.raises(ConfigError, match="at least two topics, each once"):
        TopicConfig(taxonomy=("a", "a"), seeds=RawFiles(root="x"))
