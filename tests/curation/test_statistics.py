from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from regraft.core import Artifact, ConfigError, Execution, Store
from regraft.corpus import tables
from regraft.corpus.document import Document
from regraft.curation.statistics import MeasureConfig, measure_documents
from regraft.lm.tiny import TinyConfig, make_tiny
from tests.corpus.given import corpus, make
from tests.curation.sharded import sharded

DOCUMENTS = [
    *(Document(id=f"e{n}", text="A graft joins. " * (n + 1), source="manual", language="en") for n in range(10)),
    Document(id="z", text="嫁接：把幼枝接到老根上。", source="manual", language="zh"),
    Document(id="q", text="", source="quiz"),
]


def sizes_of(artifact: Artifact) -> list[dict[str, Any]]:
    return tables.read(artifact.file(tables.ANNOTATION_FILE), tables.SIZES).to_pylist()


def statistics_of(artifact: Artifact) -> list[dict[str, Any]]:
    return tables.read(artifact.file(tables.STATISTICS_FILE), tables.STATISTICS).to_pylist()


def test_sizes_and_statistics(tmp_path: Path) -> None:
    made = make(measure_documents.step("sizes", MeasureConfig(), docs=corpus(DOCUMENTS)), tmp_path)
    sizes = sizes_of(made)
    assert [row["id"] for row in sizes] == [document.id for document in DOCUMENTS]
    assert sizes[1] == {"id": "e1", "bytes": 30, "characters": 30, "words": 6, "tokens": 8}
    assert sizes[-2] == {"id": "z", "bytes": 36, "characters": 12, "words": 10, "tokens": 9}
    rows = statistics_of(made)
    assert [(row["source"], row["language"], row["measure"]) for row in rows[::4]] == [
        ("manual", "en", "bytes"),
        ("manual", "zh", "bytes"),
        ("quiz", "", "bytes"),
    ]
    words = rows[2]
    assert words == {
        "source": "manual",
        "language": "en",
        "measure": "words",
        "documents": 10,
        "total": 3 * 55,
        "p10": 3,
        "p50": 15,
        "p90": 27,
        "largest": 30,
    }
    assert made.manifest.metrics == {
        "documents": 12,
        "bytes": 15 * 55 + 36,
        "characters": 15 * 55 + 12,
        "words": 3 * 55 + 10,
        "tokens_estimated": sum(row["tokens"] for row in sizes),
    }
    assert measure_documents.version == 1


def test_tokens_are_those_of_the_model(tmp_path: Path) -> None:
    model = make_tiny.step("model", TinyConfig())
    made = make(measure_documents.step("sizes", MeasureConfig(), docs=corpus(DOCUMENTS), model=model), tmp_path)
    folder = next(a for a in Store(tmp_path / "store").artifacts() if a.manifest.step == "model")
    tokenizer = Tokenizer.from_file(str(folder.file("model/tokenizer.json")))
    expected = [len(tokenizer.encode(document.text, add_special_tokens=False).ids) for document in DOCUMENTS]
    assert [row["tokens"] for row in sizes_of(made)] == expected
    assert made.manifest.metrics["tokens"] == sum(expected)
    assert {row["measure"] for row in statistics_of(made)} == {"bytes", "characters", "words", "tokens"}


def test_shards_do_not_show(tmp_path: Path) -> None:
    one = make(measure_documents.step("sizes", MeasureConfig(), docs=corpus(DOCUMENTS)), tmp_path / "1")
    step = measure_documents.step("sizes", MeasureConfig(), docs=sharded(DOCUMENTS, 5))
    many = make(step, tmp_path / "2", Execution(workers=2, cache=tmp_path / "cache"))
    assert sizes_of(many) == sizes_of(one)
    assert statistics_of(many) == statistics_of(one)


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_quantiles_are_sizes_that_so_many_documents_do_not_exceed(lengths: list[int]) -> None:
    import numpy as np

    from regraft.curation.sizes import summary

    sizes, documents = np.unique(np.array(lengths), return_counts=True)
    found = summary(sizes, documents)
    ordered = sorted(lengths)
    assert (found["total"], found["documents"], found["largest"]) == (sum(lengths), len(lengths), max(lengths))
    for name, share in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9)):
        assert sum(length <= found[name] for length in ordered) >= share * len(ordered)
        assert sum(length < found[name] for length in ordered) < share * len(ordered) + 1e-9


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="bytes_per_token is 0"):
        MeasureConfig(bytes_per_token=0)
