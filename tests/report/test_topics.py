from dataclasses import dataclass
from pathlib import Path

import pytest

from regraft.core import Context, Kind, Metrics, Store, run, stage
from regraft.corpus import tables
from regraft.report.collect import Evidence, collect
from regraft.report.topics import _shares, classified  # pyright: ignore[reportPrivateUsage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    pass


@stage(version=1, makes=Kind.FILES)
def classifier(config: Nothing, ctx: Context) -> Metrics:
    place = {"language": "zh", "examples": "test"}
    nan = float("nan")
    measures = [
        {"measure": "accuracy", "topic": "", "value": 0.75, "low": 0.3, "high": 0.95, "n": 4},
        {"measure": "expected_calibration_error", "topic": "", "value": 0.1, "low": nan, "high": nan, "n": 4},
        {"measure": "precision", "topic": "<b>Law</b>", "value": nan, "low": nan, "high": nan, "n": 0},
        {"measure": "recall", "topic": "<b>Law</b>", "value": 0.0, "low": 0.0, "high": 0.8, "n": 1},
    ]
    pairs = [{"topic": "<b>Law</b>", "found": "Others", "documents": 1}]
    bins = [{"low": 0.9, "high": 1.0, "confidence": 0.95, "accuracy": 0.75, "documents": 4}]
    written = (
        (tables.TOPIC_MEASURES_FILE, tables.TOPIC_MEASURES, measures),
        (tables.CONFUSION_FILE, tables.CONFUSION, pairs),
        (tables.RELIABILITY_FILE, tables.RELIABILITY, bins),
    )
    for name, schema, rows in written:
        tables.write(ctx.out / name, tables.table_of(({**place, **row} for row in rows), schema), schema)
    return {}


@stage(version=1, makes=Kind.FILES)
def seeds(config: Nothing, ctx: Context) -> Metrics:
    rows = [
        {"id": i, "source": "web", "language": "en", "topic": topic, "votes": "{}", "answers": 1, "agreement": 1.0}
        | {"status": status, "requests": []}
        for i, topic, status in (
            ("a", "Law", "agreed"),
            ("b", "Law", "disagreed"),
            ("c", "", "refused"),
            ("d", "", "not_asked"),
        )
    ]
    tables.write(ctx.out / tables.LABELS_FILE, tables.table_of(rows, tables.LABELS), tables.LABELS)
    return {}


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    store = Store(tmp_path)
    return collect(store, run([classifier.step("topics", Nothing()), seeds.step("seeds", Nothing())], store))


def test_a_classifier_is_shown_with_intervals_and_what_it_never_finds(evidence: Evidence) -> None:
    accuracy, by_topic, confusion, calibration, _ = classified(evidence).figures
    assert all(words in accuracy.svg for words in ("Chinese", "topics: test examples"))
    assert all(words in confusion.svg for words in ("&lt;b&gt;Law&lt;/b&gt;", "Others", "topic found"))
    assert by_topic.title == "topics, Chinese: test examples, by topic"
    assert by_topic.caption.startswith("Accuracy 75.0 % [30.0, 95.0] of 4 documents, expected calibration error 10.0 %")
    assert by_topic.table is not None
    assert by_topic.table.rows == (("<b>Law</b>", "1", "never found", "0.0 % [0.0, 80.0]"),)
    assert confusion.table is not None
    assert confusion.table.rows == (("<b>Law</b>", "", "1"), ("Others", "", ""))
    assert calibration.table is not None
    assert calibration.table.rows == (("90.0 % to 100.0 %", "4", "95.0 %", "75.0 %"),)


def test_the_shade_of_a_pair_is_its_share_of_the_topic() -> None:
    pairs = [
        {"topic": "a", "found": "a", "documents": 3},
        {"topic": "a", "found": "b", "documents": 1},
        {"topic": "c", "found": "a", "documents": 2},
    ]
    values = {(row["y"], row["x"]): row["value"] for row in _shares(pairs)}
    assert (values["a", "a"], values["a", "b"], values["c", "a"], values["b", "b"]) == (0.75, 0.25, 1.0, 0.0)
    assert len(values) == 9


def test_labels_by_a_model_show_where_answers_differ(evidence: Evidence) -> None:
    table = classified(evidence).figures[-1].table
    assert table is not None
    assert table.rows == (("Law", "1", "1", "0", "0", "0"), ("none", "0", "0", "1", "0", "1"))


def test_a_run_without_topics_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert "no classifier" in classified(collect(store, run([], store))).missing
