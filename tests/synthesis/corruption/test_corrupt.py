import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import (
    Artifact,
    ConfigError,
    Context,
    Execution,
    Kind,
    Metrics,
    StepFailed,
    Store,
    open_artifact,
    run,
    stage,
)
from regraft.corpus.document import Document, document_id, meta_json
from regraft.corpus.rows import CorpusWriter, documents
from regraft.synthesis.corruption.choice import choose
from regraft.synthesis.corruption.corrupt import (
    AnswerSwap,
    CorruptConfig,
    Corruption,
    NumberSubstitution,
    SymbolSubstitution,
    corrupt,
)
from regraft.synthesis.corruption.shards import next_different
from tests.synthesis.given import digest

CALCULATION, PROSE = (
    "How much is {n} + {n}?\n\nIt is {n} twice, so the answer is {m}.",
    "What is {x}?\n\n{x} is a letter.",
)


def pairs() -> list[Document]:
    texts = [CALCULATION.format(n=n, m=2 * n) for n in range(10, 22)] + [PROSE.format(x=x) for x in "abcdefgh"]
    return [
        Document(
            id=document_id("qa", str(n), text), text=text, source="qa", language="en", meta=meta_json({"n": str(n)})
        )
        for n, text in enumerate(texts)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsConfig:
    shards: int = 1


@stage(version=1, makes=Kind.CORPUS)
def qa_pairs(config: PairsConfig, ctx: Context) -> Metrics:
    found = pairs()
    size = -(-len(found) // config.shards)
    for n in range(config.shards):
        with CorpusWriter(ctx.out, "qa_pairs", shard=f"{n:05}") as writer:
            for document in found[n * size : (n + 1) * size]:
                writer.keep(document)
    return {}


def made(folder: Path, config: CorruptConfig, shards: int = 1) -> tuple[Artifact, list[Document]]:
    store = Store(folder)
    step = corrupt.step("corrupted", config, docs=qa_pairs.step("pairs", PairsConfig(shards=shards)))
    record = run([step], store, Execution(workers=1))
    artifact = open_artifact(store.path(record.steps["corrupted"]))
    return artifact, list(documents(artifact))


def changed(found: Sequence[Document]) -> dict[str, Document]:
    return {json.loads(d.meta)["n"]: d for d in found if "corruption" in d.meta}


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.45, 0.6])
def test_the_rate_is_exact_and_all_else_untouched(tmp_path: Path, rate: float):
    artifact, found = made(tmp_path, CorruptConfig(rate=rate, kinds=(NumberSubstitution(),)))
    damaged = changed(found)
    assert len(damaged) == round(rate * 20) == artifact.manifest.metrics["wanted"]
    assert artifact.manifest.metrics["corrupted_share"] == rate
    for before, after in zip(pairs(), found, strict=True):
        number = json.loads(before.meta)["n"]
        if number not in damaged:
            assert after.row() == before.row()
        else:
            assert after.parents == [before.id]
            assert after.id != before.id
            assert (after.source, after.language) == (before.source, before.language)
            meta = json.loads(after.meta)
            assert (meta["corruption"], meta["corruption_detail"]) == ("number_substitution", "4 of 4")
            assert after.text[int(meta["solution_start"]) :].startswith("It is ")


def test_a_higher_rate_damages_the_same_documents_in_the_same_way_and_more(tmp_path: Path):
    less, more = (
        changed(made(tmp_path, CorruptConfig(rate=rate, kinds=(NumberSubstitution(), AnswerSwap())))[1])
        for rate in (0.3, 0.7)
    )
    assert (len(less), len(more)) == (6, 14)
    assert all(more[number] == document for number, document in less.items())
    assert len({json.loads(d.meta)["corruption"] for d in more.values()}) == 2


def test_documents_that_cannot_be_damaged_stay_and_are_counted(tmp_path: Path):
    config = CorruptConfig(rate=1.0, kinds=(SymbolSubstitution(),), incorruptible="stay")
    artifact, found = made(tmp_path, config)
    assert len(changed(found)) == 12
    metrics = artifact.manifest.metrics
    assert (metrics["wanted"], metrics["not_corruptible"], metrics["changed.symbol_substitution"]) == (20, 8, 12)
    assert metrics["corrupted_share"] == pytest.approx(0.6)


def test_a_rate_that_cannot_be_reached_is_an_error(tmp_path: Path):
    with pytest.raises(StepFailed, match="asks for 14 of 20 documents, but only 12"):
        made(tmp_path, CorruptConfig(rate=0.7, kinds=(NumberSubstitution(),)))


def test_a_swapped_answer_is_that_of_another_document_which_is_a_parent_too(tmp_path: Path):
    originals = {document.id: document for document in pairs()}
    _, found = made(tmp_path, CorruptConfig(rate=1.0, kinds=(AnswerSwap(),)))
    for document in found:
        own, donor = (originals[parent] for parent in document.parents)
        assert own.id != donor.id
        assert document.text.split("\n\n") == [own.text.split("\n\n")[0], donor.text.split("\n\n")[1]]


def test_shards_and_seeds(tmp_path: Path):
    kinds: tuple[Corruption, ...] = (NumberSubstitution(),)
    one, three = (changed(made(tmp_path, CorruptConfig(rate=0.5, kinds=kinds), shards)[1]) for shards in (1, 3))
    assert one == three
    other = changed(made(tmp_path, CorruptConfig(rate=0.5, kinds=kinds, seed=1))[1])
    assert set(other) != set(one)


def test_configs_are_checked():
    with pytest.raises(ConfigError, match="rate is 30"):
        CorruptConfig(rate=30)
    with pytest.raises(ConfigError, match="kinds"):
        CorruptConfig(rate=0.3, kinds=())


def test_golden(tmp_path: Path):
    _, found = made(tmp_path, CorruptConfig(rate=0.5, kinds=(NumberSubstitution(), AnswerSwap())))
    rows: list[dict[str, Any]] = [document.row() for document in found]
    assert digest(rows) == "36ac6cf56b0620a3"


@given(
    rates=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    able=st.lists(st.lists(st.integers(0, 2), max_size=2), max_size=30),
)
def test_choices_are_nested(rates: tuple[float, float], able: list[list[int]]):
    surveyed = {"a": [(hash((n, "a")), kinds) for n, kinds in enumerate(able)], "b": [(0, [1])]}
    low, high = (choose(surveyed, rate, replace=False) for rate in sorted(rates))
    assert low.wanted == round(min(rates) * (len(able) + 1))
    for shard, rows in low.kinds.items():
        assert rows.items() <= high.kinds[shard].items()
    assert sum(map(len, low.kinds.values())) + low.passed_over == low.wanted


@given(values=st.lists(st.integers(0, 2), max_size=8))
def test_the_next_different_in_a_circle(values: list[int]):
    rows = list(range(len(values)))
    found = next_different(rows, dict(enumerate(values)))
    for row in rows:
        circle = rows[row + 1 :] + rows[:row]
        assert found.get(row) == next((other for other in circle if values[other] != values[row]), None)
