import json
import logging
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError, Step, StepFailed
from regraft.corpus.document import Document
from regraft.curation.band import BandConfig, rank, select_band
from regraft.curation.repetition import Repetition, clearly_more, drawn
from tests.corpus.given import Given, corpus, digest_of, documents_of, given_annotation, make, rejects_of

VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=False) | st.integers(0, 3).map(float), max_size=50)
PERCENTS = st.lists(st.floats(0, 100), min_size=2, max_size=2, unique=True).map(sorted)
NOTICE = "Copyright, all rights of this page are reserved by its owner."


def document(number: int, source: str = "web", language: str = "en", text: str = "") -> Document:
    return Document(id=f"{source}-{number:02}", text=text or f"page {number}", source=source, language=language)


DOCUMENTS = [
    *(document(n) for n in range(10)),
    *(document(n, "pubmed") for n in range(5)),
    *(document(n, "debian", "zh") for n in range(2)),
]
LOSSES = {d.id: float(int(d.id[-2:]) // 2) for d in DOCUMENTS if d.language == "en"}
"""Pairs of documents are alike; the Chinese ones were not measured."""


def step(
    config: BandConfig, documents: list[Document], losses: dict[str, float], per_shard: int = 10**9
) -> Step[BandConfig]:
    docs = corpus(documents, per_shard=per_shard)
    rows = [{"id": d.id, "loss": losses.get(d.id, 0.0), "tokens": 1, "bytes": int(d.id in losses)} for d in documents]
    wired = given_annotation.step("losses", Given(rows=json.dumps(rows), schema="LOSSES"), docs=docs)
    return select_band.step("band", config, docs=docs, difficulty=wired)


@given(VALUES, PERCENTS)
def test_an_exact_share_is_kept_and_it_is_the_band(values: list[float], percents: list[float]) -> None:
    low, high = percents
    ranks = rank(values, [str(n) for n in range(len(values))], low, high)
    assert [math.isnan(value) for value in values] == [found.part == "" for found in ranks]
    measured = sorted((found for found in ranks if found.part), key=lambda found: found.percentile)
    assert [found.difficulty for found in measured] == sorted(value for value in values if not math.isnan(value))
    first, end = (round(len(measured) * percentile / 100) for percentile in (low, high))
    assert [n for n, found in enumerate(measured) if found.part == "kept"] == list(range(first, end))


@given(VALUES, st.floats(0.1, 99.9))
def test_bands_that_meet_share_no_document_and_leave_none_out(values: list[float], border: float) -> None:
    ids = [str(n) for n in range(len(values))]
    parts = zip(rank(values, ids, 0, border), rank(values, ids, border, 100), strict=True)
    for value, one, other in zip(values, *zip(*parts, strict=True), strict=True) if values else ():
        assert {one.part, other.part} == ({""} if math.isnan(value) else {"kept", "dropped"})


@given(VALUES, PERCENTS, st.randoms())
def test_the_order_of_the_documents_does_not_matter(values: list[float], percents: list[float], random: Any) -> None:
    pairs = [(value, str(number)) for number, value in enumerate(values)]
    mixed = pairs[:]
    random.shuffle(mixed)
    kept = [
        {pair[1] for pair, r in zip(given, rank(*_columns(given), *percents), strict=True) if r.part == "kept"}
        for given in (pairs, mixed)
    ]
    assert kept[0] == kept[1]


def _columns(pairs: list[tuple[float, str]]) -> tuple[list[float], list[str]]:
    return [value for value, _ in pairs], [id_ for _, id_ in pairs]


@pytest.mark.parametrize("per_shard", [10**9, 4])
def test_each_language_and_source_keeps_its_share(tmp_path: Path, per_shard: int) -> None:
    made = make(step(BandConfig(low=20, high=50), DOCUMENTS, LOSSES, per_shard), tmp_path)
    assert [row["id"] for row in documents_of(made)] == [
        *("web-02", "web-03", "web-04"),  # of the pair 04 and 05 the first
        "pubmed-01",
        *("debian-00", "debian-01"),
    ]
    rejects = rejects_of(made)
    assert {row["reason"] for row in rejects} == {"difficulty_band"}
    assert rejects[2]["detail"] == "loss_per_byte 2 is at percentile 50.00 of en/web"
    metrics = made.manifest.metrics
    assert (metrics["documents_read"], metrics["documents"], metrics["rejected"]) == (17, 6, 11)
    assert (metrics["without_difficulty"], metrics["documents_compared"]) == (2, 4)
    assert (select_band.version, digest_of(made)) == (1, "e4378e4e5cb4b9c2")


def test_documents_without_difficulty_go_where_the_setting_says(tmp_path: Path) -> None:
    made = make(step(BandConfig(without_difficulty="reject"), DOCUMENTS, LOSSES), tmp_path)
    assert [row["id"] for row in documents_of(made)] == ["web-00", "web-01", "pubmed-00"]
    assert made.manifest.metrics["rejected.without_difficulty"] == made.manifest.metrics["without_difficulty"] == 2


def test_other_sources_stay_whole(tmp_path: Path) -> None:
    made = make(step(BandConfig(sources=("pubmed",)), DOCUMENTS, LOSSES), tmp_path)
    assert made.manifest.metrics["rejected"] == 4
    assert {row["source"] for row in rejects_of(made)} == {"pubmed"}


def test_a_cell_that_is_too_small_for_the_band_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "regraft"):
        made = make(step(BandConfig(high=10), DOCUMENTS, LOSSES), tmp_path)
    assert "nothing of ('en', 'pubmed') lies between percentiles 0 and 10" in caplog.text
    assert "debian" not in caplog.text, "its documents were not measured"
    assert made.manifest.metrics["documents"] == 3


def test_boilerplate_that_is_kept_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = ["A line of the page that is about " + word for word in ["trees", "birds", "stones", "rivers", "clouds"]]
    pages = [document(n, text=f"{n} pages\n{NOTICE}" if n < 5 else own[n - 5]) for n in range(10)]
    losses = {page.id: float(n) for n, page in enumerate(pages)}
    with caplog.at_level(logging.WARNING, "regraft"):
        made = make(step(BandConfig(high=50), pages, losses), tmp_path / "low")
        assert "clearly more repetitive" in caplog.text
        metrics = made.manifest.metrics
        assert (metrics["repeated_lines.kept"], metrics["repeated_lines.dropped"]) == (1.0, 0.0)
        caplog.clear()
        make(step(BandConfig(low=50, high=100), pages, losses), tmp_path / "high")
    assert "repetitive" not in caplog.text


def test_the_inside_of_documents_is_compared_too() -> None:
    same, varied = Repetition(), Repetition()
    for number in range(5):
        same.add(document(number, text=f"so {'abcde'[number]} goes, " * 9))
        varied.add(document(number, text="".join(chr(33 + (i * i * (number + 7)) % 90) for i in range(120))))
    assert same.repeated_lines == varied.repeated_lines == 0
    assert clearly_more(same, varied)
    assert not clearly_more(varied, same)
    assert not clearly_more(varied, varied)
    assert not clearly_more(Repetition(), varied)
    assert not clearly_more(varied, Repetition()), "nothing was dropped"


def test_a_line_repeats_in_another_document_not_in_its_own() -> None:
    seen = Repetition()
    seen.add(document(0, text=f"{NOTICE}\n{NOTICE}"))
    assert seen.repeated_lines == 0
    seen.add(document(1, text=f"{NOTICE}\nA line that stands here and in no other document."))
    assert seen.repeated_lines == pytest.approx(2 / 3)
    assert Repetition().figures() == dict.fromkeys(("mean_bytes", "compression_ratio", "repeated_lines"))


def test_what_is_compared_does_not_depend_on_order() -> None:
    ids = [str(n) for n in range(50)]
    assert drawn(ids, 7) == drawn(ids[::-1], 7)
    assert len(drawn(ids, 7)) == 7


@pytest.mark.parametrize("limits", [(20, 20), (50, 20), (-1, 20), (0, 101), (math.nan, 20)])
def test_a_band_that_is_none_is_refused(limits: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="0 <= low < high <= 100"):
        BandConfig(low=limits[0], high=limits[1])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (BandConfig(sources=("books",)), r"no document of \['books'\]"),
        (BandConfig(measure="grade"), "grade"),
        (BandConfig(high=1, without_difficulty="reject"), "kept none"),
    ],
)
def test_what_cannot_be_selected_is_said(tmp_path: Path, config: BandConfig, message: str) -> None:
    with pytest.raises(StepFailed, match=message):
        make(step(config, DOCUMENTS, LOSSES), tmp_path)


def test_another_corpus_than_was_scored_is_refused(tmp_path: Path) -> None:
    docs = corpus(DOCUMENTS)
    rows = json.dumps([{"id": "web-00", "loss": 1.0, "tokens": 1, "bytes": 1}])
    scored = given_annotation.step("losses", Given(rows=rows, schema="LOSSES"), docs=docs)
    with pytest.raises(StepFailed, match="document web-01 has no difficulty"):
        make(select_band.step("band", BandConfig(), docs=docs, difficulty=scored), tmp_path)
