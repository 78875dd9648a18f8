"""What curation found: how alike the duplicates are, known benchmark items, boilerplate, and how much text is left."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from regraft.core import Artifact, Kind
from regraft.corpus import tables
from regraft.report import charts
from regraft.report.collect import Evidence, is_table, rows
from regraft.report.sections import Excerpt, Figure, Section, Table
from regraft.report.words import number, percent

STEPS = 20
"""Of similarity, from 0 to 1."""
NUM_LINES = 30
"""Repeated lines that are shown."""


def found(evidence: Evidence) -> Section:
    """Show what the steps of curation say of their own work, beside the rejects."""
    title, anchor = "What curation found", "found"
    corpora = evidence.of_kind(Kind.CORPUS)
    figures = [
        *_statistics(evidence),
        *(figure for corpus in corpora for figure in _duplicates(evidence, corpus)),
        *(figure for corpus in corpora for figure in _contamination(evidence, corpus)),
        *(figure for corpus in corpora for figure in _boilerplate(evidence, corpus)),
    ]
    if not figures:
        return Section(
            title=title, anchor=anchor, missing="This run measures, deduplicates and decontaminates nothing."
        )
    return Section(title=title, anchor=anchor, figures=tuple(figures))


def _statistics(evidence: Evidence) -> Iterable[Figure]:
    """Yield how much text there is of each source and language."""
    for sizes in evidence.of_kind(Kind.ANNOTATION):
        if not is_table(sizes, tables.STATISTICS_FILE, tables.STATISTICS):
            continue
        lines = tuple(
            (
                row["source"],
                row["language"] or "unknown",
                row["measure"].replace("_", " "),
                *(f"{row[column]:,}" for column in ("documents", "total", "p10", "p50", "p90", "largest")),
            )
            for row in rows(sizes, tables.STATISTICS_FILE, tables.STATISTICS)
        )
        columns = ("Source", "Language", "Measure", "Documents", "Total", "10 %", "Median", "90 %", "Largest")
        yield Figure(
            title=f"{evidence.name(sizes)}: text by source and language",
            artifacts=(sizes.id,),
            caption="10 %, median and 90 %: of the documents have at most so much.",
            table=Table(columns=columns, rows=lines, num_labels=3),
        )


def _duplicates(evidence: Evidence, corpus: Artifact) -> Iterable[Figure]:
    """Yield the true similarity of what was dropped."""
    if not is_table(corpus, tables.DUPLICATES_FILE, tables.DUPLICATES):
        return
    values = tables.read(corpus.path / tables.DUPLICATES_FILE, tables.DUPLICATES, ["similarity"])["similarity"]
    if not len(values):
        return
    counts = histogram(values)
    bars = [{"label": label, "value": count, "series": "dropped documents"} for label, count in counts.items()]
    yield Figure(
        title=f"{evidence.name(corpus)}: similarity of what was dropped to what stays",
        artifacts=(corpus.id,),
        caption="True Jaccard similarity of word 5-grams, computed for every dropped document; 1 is word for word.",
        svg=charts.bars(bars, x="documents"),
    )


def histogram(values: pa.ChunkedArray) -> dict[str, int]:
    """Return how many similarities there are in each step, from the least similar; 1 stands by itself."""
    steps = Counter(min(int(value * STEPS + 1e-9), STEPS) for value in values.to_pylist())
    label = {step: f"{step / STEPS:.2f} to {(step + 1) / STEPS:.2f}" for step in range(STEPS)} | {STEPS: "1.00"}
    return {label[step]: steps[step] for step in range(min(steps), STEPS + 1)}


def _contamination(evidence: Evidence, corpus: Artifact) -> Iterable[Figure]:
    """Yield how many items of each benchmark the corpus held."""
    if not is_table(corpus, tables.CONTAMINATION_FILE, tables.CONTAMINATION):
        return
    by_benchmark: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows(corpus, tables.CONTAMINATION_FILE, tables.CONTAMINATION):
        items = by_benchmark.setdefault(row["benchmark"], {})
        items[row["item"]] = max(row, items.get(row["item"], row), key=lambda r: r["item_share"])
    lines = tuple(
        (
            benchmark,
            f"{len(items):,}",
            f"{sum(row['item_share'] >= 0.5 for row in items.values()):,}",
            percent(sum(row["item_share"] for row in items.values()) / len(items)),
            number(sum(row["documents"] for row in items.values()), 0),
        )
        for benchmark, items in sorted(by_benchmark.items())
    )
    columns = ("Benchmark", "Items met", "Items met by half or more", "Mean matched share", "Documents")
    yield Figure(
        title=f"{evidence.name(corpus)}: benchmark items in the corpus",
        artifacts=(corpus.id,),
        caption="Share of an item's words that stand in n-grams of the corpus, before the action. "
        "An item that is not met does not count here.",
        table=Table(columns=columns, rows=lines) if lines else None,
    )


def _boilerplate(evidence: Evidence, corpus: Artifact) -> Iterable[Figure]:
    """Yield the lines that were cut most often."""
    if not is_table(corpus, tables.BOILERPLATE_FILE, tables.BOILERPLATE):
        return
    listed = rows(corpus, tables.BOILERPLATE_FILE, tables.BOILERPLATE)[:NUM_LINES]
    shown = tuple(
        Excerpt(label=f"{row['source']} · {row['documents']:,} documents", text=row["line"][:300]) for row in listed
    )
    if shown:
        yield Figure(
            title=f"{evidence.name(corpus)}: repeated lines", artifacts=(corpus.id,), excerpts=shown, folded=True
        )
