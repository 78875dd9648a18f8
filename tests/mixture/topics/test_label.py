import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from regraft.core import Artifact, Context, Execution, Kind, Metrics, RawFiles, Step, StepFailed, Store, run, stage
from regraft.corpus import tables
from regraft.mixture.topics.classifier import Classifier, Means, Predictor
from regraft.mixture.topics.encoder import FineTunedEncoder
from regraft.mixture.topics.examples import Example
from regraft.mixture.topics.fasttext import FastText
from regraft.mixture.topics.label import LabelConfig, label_topics
from regraft.mixture.topics.learning import folder_of, stratified
from regraft.mixture.topics.ngrams import NgramLinear
from regraft.mixture.topics.taxonomy import Taxonomy, Topic
from regraft.mixture.topics.train import TopicClassifierConfig, train_topic_classifier
from tests.mixture.conftest import annotation, corpus, make

DOCS = (
    ("zh", "安装软件包之前先更新软件包列表。"),
    ("en", "The network interface is configured by a rule of the firewall."),
    ("en", "The package depends on other packages of the archive."),
)
TOPICS = (Topic(name="Packages"), Topic(name="Networks"))
TAXONOMY = Taxonomy(name="test", language="", topics=TOPICS)
ENCODER = FineTunedEncoder(max_tokens=32, epochs=20, batch_size=5, learning_rate=1e-3, head_learning_rate=1e-2)


def trained(seeds: Path, **fields: Any) -> Step[TopicClassifierConfig]:
    encoder = tiny_bert.step("encoder", BertSize()) if isinstance(fields.get("classifier"), FineTunedEncoder) else None
    given = {"taxonomies": (TAXONOMY,), "seeds": (RawFiles(root=str(seeds)),), **fields}
    return train_topic_classifier.step("classifier", TopicClassifierConfig(**given), encoder=encoder)


def labelled(seeds: Path, *docs: tuple[str, str], label: dict[str, Any] | None = None, **fields: Any) -> Step[Any]:
    config = LabelConfig(**{"classifier": fields.get("classifier", NgramLinear()), **(label or {})})
    return label_topics.step("topics", config, docs=corpus(*(docs or DOCS)), classifier=trained(seeds, **fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class BertSize:
    hidden: int = 32


@stage(version=1, makes=Kind.CHECKPOINT)
def tiny_bert(config: BertSize, ctx: Context) -> Metrics:
    """Write a random BERT with a byte-level tokenizer, its weights safe."""
    import torch
    from transformers import BertConfig, BertModel

    from regraft.lm.load import quiet_transformers
    from regraft.lm.tiny import tiny_model_folder

    tiny_model_folder(ctx.out / "model")
    size = BertConfig(
        vocab_size=512,
        hidden_size=config.hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.manual_seed(0)
        BertModel(size, add_pooling_layer=False).save_pretrained(ctx.out / "model")
    return {}


def test_documents_of_two_languages_get_their_topic_in_order(seeds: Path, tmp_path: Path) -> None:
    artifact = make(labelled(seeds), tmp_path)
    rows = annotation(artifact, tables.TOPICS)
    assert [(row["id"], row["topic"]) for row in rows] == [("d0", "Packages"), ("d1", "Networks"), ("d2", "Packages")]
    assert [row["probability"] for row in rows] == pytest.approx([0.8188, 0.7921, 0.6685], abs=1e-3)
    assert artifact.manifest.metrics == {
        "documents": 3,
        "documents: Packages": 2,
        "documents: Networks": 1,
        "documents: Others": 0,
    }
    speed = json.loads(artifact.file("timing/speed.json").read_text("utf-8"))
    assert speed["documents_per_second"] > 0


def test_golden_of_the_default_classifier(seeds: Path, tmp_path: Path) -> None:
    """Raise the versions of both stages when this changes."""
    artifact = make(labelled(seeds, label={"keep_probabilities": True}), tmp_path)
    rows = tables.read(artifact.file(tables.PROBABILITIES_FILE), tables.PROBABILITIES).to_pylist()
    assert [row["topics"] for row in rows] == [["Packages", "Networks"]] * 3
    expected = [[0.8188, 0.1812], [0.2079, 0.7921], [0.6685, 0.3315]]
    assert np.array([row["probabilities"] for row in rows]) == pytest.approx(np.array(expected), abs=2e-4)


@pytest.mark.parametrize(
    "classifier", [NgramLinear(), FastText(), ENCODER, FineTunedEncoder(max_tokens=32, epochs=20, frozen=True)]
)
def test_every_classifier_learns_its_seeds_and_gives_the_same_again(
    seeds: Path, tmp_path: Path, classifier: Classifier
) -> None:
    docs = [(row["language"], row["text"]) for row in map(json.loads, seeds.read_text("utf-8").splitlines())]
    made = [make(labelled(seeds, *docs, classifier=classifier), tmp_path / name) for name in "ab"]
    assert made[0].manifest.content_digest == made[1].manifest.content_digest
    found = [row["topic"] for row in annotation(made[0], tables.TOPICS)]
    right = sum(topic == expected for topic, expected in zip(found, ["Packages"] * 5 + ["Networks"] * 5, strict=True))
    assert right >= (8 if getattr(classifier, "frozen", False) else 10)


def test_an_encoder_needs_one_and_its_positions(seeds: Path, tmp_path: Path) -> None:
    config = TopicClassifierConfig(
        taxonomies=(TAXONOMY,), seeds=(RawFiles(root=str(seeds)),), classifier=FineTunedEncoder()
    )
    with pytest.raises(StepFailed, match="wire a step of `import_backbone`"):
        make(train_topic_classifier.step("classifier", config), tmp_path)
    with pytest.raises(StepFailed, match="max_tokens is 256, but the encoder has 64 positions"):
        make(trained(seeds, classifier=FineTunedEncoder()), tmp_path)


@dataclass(frozen=True, slots=True, kw_only=True)
class LongIsFirst:
    """A classifier of one's own: long texts are of the first topic."""

    least: int = 30

    def fit(self, texts: Sequence[str], labels: Sequence[int], num_topics: int, folder: Path, means: Means) -> None:
        (folder / "topics").write_text(str(num_topics), "utf-8")

    def open(self, folder: Path, means: Means) -> Predictor:
        return _LongIsFirst(self.least, int((folder / "topics").read_text("utf-8")))


@dataclass(frozen=True)
class _LongIsFirst:
    least: int
    num_topics: int

    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        return np.eye(self.num_topics)[[0 if len(text) >= self.least else 1 for text in texts]]


def test_a_classifier_of_ones_own_needs_no_registry(seeds: Path, tmp_path: Path) -> None:
    rows = annotation(make(labelled(seeds, classifier=LongIsFirst()), tmp_path), tables.TOPICS)
    assert [row["topic"] for row in rows] == ["Networks", "Packages", "Packages"]


def test_a_document_below_the_threshold_is_others_with_its_probability_kept(seeds: Path, tmp_path: Path) -> None:
    artifact = make(labelled(seeds, threshold=0.7), tmp_path)
    rows = annotation(artifact, tables.TOPICS)
    assert [row["topic"] for row in rows] == ["Packages", "Networks", "Others"]
    assert rows[2]["probability"] == pytest.approx(0.6685, abs=1e-3)
    assert artifact.manifest.metrics["documents: Others"] == 1


def test_probabilities_that_are_far_off_are_warned_of(
    seeds: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    test = tmp_path / "test.jsonl"
    test.write_text(json.dumps({"text": DOCS[1][1], "topic": "Packages"}), "utf-8")
    make(trained(seeds, test=RawFiles(root=str(test))), tmp_path / "off")
    assert "topics, judged on test: probabilities are 79.2% away from how often topics are right" in caplog.text
    caplog.clear()
    test.write_text(json.dumps({"text": seeds.name, "topic": "Networks"}), "utf-8")
    make(trained(seeds, classifier=LongIsFirst(), test=RawFiles(root=str(test))), tmp_path / "sure")
    assert "probabilities" not in caplog.text


def test_a_threshold_that_floods_others_is_warned_of_in_both_stages(
    seeds: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(labelled(seeds, threshold=0.7), tmp_path / "one")
    assert "makes 'Others'" not in caplog.text
    make(labelled(seeds, threshold=0.99, folds=2), tmp_path / "all")
    assert "judged on seeds: the threshold 0.99 makes 'Others' of 100.0% of 10 documents" in caplog.text
    assert "label_topics: the threshold 0.99 makes 'Others' of 100.0% of 3 documents" in caplog.text


def test_no_classifier_stays_in_memory(seeds: Path, tmp_path: Path) -> None:
    from regraft.mixture.topics import label_shard

    make(labelled(seeds), tmp_path)
    assert label_shard._opened.cache_info().currsize == 0  # pyright: ignore[reportPrivateUsage]


def test_an_encoder_uses_the_threads_that_it_is_given(
    seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    artifact = make(trained(seeds, classifier=ENCODER), tmp_path)
    predictor = ENCODER.open(folder_of(artifact.path, ""), Means(threads=3))
    seen: list[int] = []
    forward = torch.nn.Linear.forward
    monkeypatch.setattr(
        torch.nn.Linear, "forward", lambda self, x: (seen.append(torch.get_num_threads()), forward(self, x))[1]
    )
    before = torch.get_num_threads()
    predictor.predict(["dpkg"])
    assert set(seen) == {3}
    assert torch.get_num_threads() == before


def test_padding_changes_no_probability(seeds: Path, tmp_path: Path) -> None:
    artifact = make(trained(seeds, classifier=ENCODER), tmp_path)
    predictor = ENCODER.open(folder_of(artifact.path, ""), Means())
    texts = [DOCS[1][1], "A rule.", "dpkg"]
    together, alone = predictor.predict(texts), np.concatenate([predictor.predict([text]) for text in texts])
    assert together == pytest.approx(alone, abs=1e-5)


def test_no_fold_is_judged_by_a_classifier_that_saw_it(seeds: Path, tmp_path: Path) -> None:
    """Texts without a letter in common: only who saw one can know its topic."""
    rows = [{"topic": TOPICS[i % 2].name, "text": chr(ord("a") + i) * 9} for i in range(6)]
    seeds.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    accuracy = make(trained(seeds, folds=3), tmp_path).manifest.metrics["cross_validated_accuracy"]
    assert isinstance(accuracy, float)
    assert accuracy <= 0.5


def test_each_language_has_a_classifier_and_other_documents_have_no_topic(seeds: Path, tmp_path: Path) -> None:
    both = [
        {"topic": topic, "text": text, "language": language}
        for language, topic, text in [
            ("zh", "软件", "软件包"),
            ("zh", "网络", "防火墙"),
            ("en", "Packages", "package"),
            ("en", "Networks", "firewall"),
        ]
    ]
    seeds.write_text("\n".join(json.dumps(row) for row in both), "utf-8")
    chinese = Taxonomy(name="zh", language="zh", topics=(Topic(name="软件"), Topic(name="网络")))
    english = Taxonomy(name="en", language="en", topics=TOPICS)
    docs = [("en", "a firewall"), ("fr", "un paquet"), ("zh", "一个软件包")]
    artifact = make(labelled(seeds, *docs, taxonomies=(chinese, english), label={"keep_probabilities": True}), tmp_path)
    assert [row["topic"] for row in annotation(artifact, tables.TOPICS)] == ["Networks", "-", "软件"]
    assert artifact.manifest.metrics["documents: -"] == 1
    rows = tables.read(artifact.file(tables.PROBABILITIES_FILE), tables.PROBABILITIES).to_pylist()
    assert [row["topics"] for row in rows] == [["Packages", "Networks"], [], ["软件", "网络"]]


def test_other_sources_have_no_topic(seeds: Path, tmp_path: Path) -> None:
    rows = annotation(make(labelled(seeds, label={"sources": ("books",)}), tmp_path), tables.TOPICS)
    assert {(row["topic"], row["probability"]) for row in rows} == {("-", 1.0)}


def test_another_classifier_than_the_trained_one_is_refused(seeds: Path, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"trained with other settings .* classifier\.strength 10 -> 1"):
        make(labelled(seeds, label={"classifier": NgramLinear(strength=1.0)}), tmp_path)


def _measures(artifact: Artifact) -> dict[tuple[str, str, str], dict[str, Any]]:
    rows = tables.read(artifact.file(tables.TOPIC_MEASURES_FILE), tables.TOPIC_MEASURES).to_pylist()
    return {(row["examples"], row["measure"], row["topic"]): row for row in rows}


def test_a_test_file_is_measured_and_not_learned_from(seeds: Path, tmp_path: Path) -> None:
    test = tmp_path / "test.jsonl"
    lines = [{"text": DOCS[1][1], "topic": "Packages"}, {"text": DOCS[0][1], "topic": "Packages"}]
    test.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    artifact = make(trained(seeds, test=RawFiles(root=str(test)), folds=5), tmp_path)
    metrics = artifact.manifest.metrics
    assert (metrics["test_examples"], metrics["test_accuracy"], metrics["seeds"]) == (2, 0.5, 10)
    found = _measures(artifact)
    assert (found["test", "recall", "Packages"]["value"], found["test", "recall", "Packages"]["n"]) == (0.5, 2)
    assert found["test", "accuracy", ""]["low"] == pytest.approx(0.0945, abs=1e-4)
    assert found["seeds", "accuracy", ""]["n"] == 10
    pairs = tables.read(artifact.file(tables.CONFUSION_FILE), tables.CONFUSION).to_pylist()
    assert [(p["topic"], p["found"], p["documents"]) for p in pairs if p["examples"] == "test"] == [
        ("Packages", "Networks", 1),
        ("Packages", "Packages", 1),
    ]
    bins = tables.read(artifact.file(tables.RELIABILITY_FILE), tables.RELIABILITY).to_pylist()
    assert sum(b["documents"] for b in bins if b["examples"] == "seeds") == 10


def test_a_test_example_that_is_a_seed_too_is_refused(seeds: Path, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="10 test examples are seeds too, such as"):
        make(trained(seeds, test=RawFiles(root=str(seeds))), tmp_path)


def test_an_empty_corpus_gives_an_empty_annotation(seeds: Path, tmp_path: Path) -> None:
    step = label_topics.step("topics", LabelConfig(), docs=corpus(), classifier=trained(seeds))
    assert annotation(make(step, tmp_path), tables.TOPICS) == []


@dataclass(frozen=True, slots=True, kw_only=True)
class Shards:
    count: int = 7


@stage(version=1, makes=Kind.CORPUS)
def sharded_corpus(config: Shards, ctx: Context) -> Metrics:
    for shard in range(config.count):
        rows = [
            {"id": f"{shard}-{i}", "text": DOCS[(shard + i) % 3][1], "source": "web", "language": "", "parents": []}
            for i in range(400)
        ]
        table = tables.table_of(({**row, "meta": "{}"} for row in rows), tables.DOCUMENTS)
        tables.write(ctx.out / f"documents/{shard:05}.parquet", table, tables.DOCUMENTS)
    return {}


def test_any_number_of_workers_gives_the_same_bytes(seeds: Path, tmp_path: Path) -> None:
    docs = sharded_corpus.step("docs", Shards())
    step = label_topics.step("topics", LabelConfig(keep_probabilities=True), docs=docs, classifier=trained(seeds))
    digests = set[str]()
    for workers in (1, 2):
        store = Store(tmp_path / str(workers))
        made = store.resolve(run([step], store, Execution(cache=tmp_path, workers=workers)).steps["topics"])
        digests.add(made.manifest.content_digest)
        ids = [row["id"] for row in annotation(made, tables.TOPICS)]
        assert ids == [f"{shard}-{i}" for shard in range(7) for i in range(400)]
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "x", "topic": "Sports"}', r"seeds\.jsonl:11 has the topic 'Sports', which is none of"),
        ('{"text": "x"', r"seeds\.jsonl:11 is no JSON object"),
        ('{"text": "x"}', r"seeds\.jsonl:11 is no JSON object with text and topic: KeyError"),
        ('{"text": " ", "topic": "Networks"}', r"seeds\.jsonl:11 has no text"),
        ('{"text": 3, "topic": "Networks"}', r"seeds\.jsonl:11: topic, text, id and language must be strings"),
        ('{"text": "\\ud800", "topic": "Networks"}', r"seeds\.jsonl:11 holds half a surrogate pair"),
        ("[1]", r"seeds\.jsonl:11 is no JSON object"),
    ],
)
def test_a_broken_seed_is_named_by_file_and_line(seeds: Path, tmp_path: Path, line: str, message: str) -> None:
    seeds.write_text(seeds.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(StepFailed, match=message):
        make(trained(seeds), tmp_path)


def test_too_few_seeds_are_refused_with_their_counts(seeds: Path, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"6 folds .* there are \{'Packages': 5, 'Networks': 5\}"):
        make(trained(seeds, folds=6), tmp_path)
    with pytest.raises(StepFailed, match="nothing to learn from"):
        make(train_topic_classifier.step("c", TopicClassifierConfig(taxonomies=(TAXONOMY,))), tmp_path)
    only = Taxonomy(name="x", language="zh", topics=TOPICS)
    with pytest.raises(
        StepFailed, match=r"seeds\.jsonl:6 has the language 'en'; there are taxonomies of \['zh'\]. Add one of 'en'"
    ):
        make(trained(seeds, taxonomies=(only,)), tmp_path)


def test_every_fold_has_as_many_seeds_of_each_topic() -> None:
    seeds = [Example(topic="a" if i < 10 else "b", text=str(i)) for i in range(24)]
    folds = stratified(seeds, 3, 0)
    for topic, size in (("a", 10), ("b", 14)):
        counts = [sum(s.topic == topic and f == fold for s, f in zip(seeds, folds, strict=True)) for fold in range(3)]
        assert sum(counts) == size
        assert max(counts) - min(counts) <= 1
    assert stratified(seeds, 3, 1) != folds
