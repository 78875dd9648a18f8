"""How varied the synthetic text of a run is: measures side by side, how problems begin, how long they are."""

from collections.abc import Iterable, Sequence
from typing import Any

from regraft.core import Artifact, Kind
from regraft.corpus import tables
from regraft.report import charts
from regraft.report.collect import Evidence, Rows, rows
from regraft.report.sections import Figure, Section, Table
from regraft.report.words import LANGUAGES, number, percent

SHARES = ("near_duplicates", "with_solution")
PARTS = {"problem_words": "problem", "solution_words": "solution", "text_words": "text"}
CAPTION = (
    "Each is measured on a sample and depends on its size: compare rows of one size. Distinct-n: different runs of n "
    "words over all. Self-BLEU: how like a text is to the others, 0 to 1. Compression: compressed bytes over bytes. "
    "Entropy: of the disciplines, in bits; n equally frequent ones have log2 n."
)


def diverse(evidence: Evidence) -> Section:
    """Show how varied each corpus is whose diversity the run measures."""
    title, anchor = "Diversity of synthetic text", "diversity"
    measured = [a for a in evidence.of_kind(Kind.FILES) if (a.path / tables.DIVERSITY_FILE).is_file()]
    if not measured:
        return Section(title=title, anchor=anchor, missing="This run measures no diversity of synthetic text.")
    figures = [_measures(evidence, measured), *(figure for a in measured for figure in _counts(evidence, a))]
    return Section(title=title, anchor=anchor, figures=tuple(figures))


def _measures(evidence: Evidence, measured: Sequence[Artifact]) -> Figure:
    found = [(a, row) for a in measured for row in rows(a, tables.DIVERSITY_FILE, tables.DIVERSITY)]
    names = list(dict.fromkeys(row["measure"] for _, row in found))
    values: dict[tuple[str, ...], dict[str, Any]] = {}
    for artifact, row in found:
        values.setdefault((evidence.name(artifact), row["source"], _language(row)), {})[row["measure"]] = row
    lines = (
        (*place, f"{own[names[0]]['n']:,}", *(_value(name, own[name]["value"]) for name in names))
        for place, own in values.items()
    )
    columns = ("Step", "Source", "Language", "Sample", *(name.replace("_", " ").capitalize() for name in names))
    return Figure(
        title="Variety of synthetic text",
        artifacts=tuple(artifact.id for artifact in measured),
        caption=CAPTION,
        table=Table(columns=columns, rows=tuple(lines), num_labels=3),
    )


def _counts(evidence: Evidence, artifact: Artifact) -> Iterable[Figure]:
    """Yield lengths, disciplines and openings for each source and language."""
    counted = rows(artifact, tables.DIVERSITY_COUNTS_FILE, tables.DIVERSITY_COUNTS)
    for source, language in dict.fromkeys((row["source"], row["language"]) for row in counted):
        own = [row for row in counted if (row["source"], row["language"]) == (source, language)]
        name = ", ".join(filter(None, (f"{evidence.name(artifact)}: {source}", _language(own[0]))))
        lengths = _bars([row for row in own if row["what"] in PARTS])
        yield Figure(
            title=f"{name}, lengths", artifacts=(artifact.id,), svg=charts.bars(lengths, x="texts of the sample")
        )
        disciplines = _bars([row for row in own if row["what"] == "discipline"])
        if len(disciplines) > 1:
            svg = charts.bars(disciplines, x="documents")
            yield Figure(title=f"{name}, disciplines", artifacts=(artifact.id,), svg=svg)
        openings = tuple((row["label"], f"{row['documents']:,}") for row in own if row["what"] == "opening")
        yield Figure(
            title=f"{name}, how problems begin",
            artifacts=(artifact.id,),
            table=Table(columns=("First words", "Texts of the sample"), rows=openings),
            folded=True,
        )


def _bars(counted: Rows) -> list[dict[str, Any]]:
    """Return the rows for a chart, bands of words in ascending order over all parts."""
    bars = [
        {"label": _label(row), "value": row["documents"], "series": PARTS.get(row["what"], row["what"])}
        for row in counted
    ]
    return sorted(bars, key=lambda bar: _first_number(bar["label"]))


def _label(row: dict[str, Any]) -> str:
    return f"{row['label']} words" if row["what"] in PARTS else row["label"]


def _first_number(label: str) -> int:
    first = label.split()[0] if label.split() else ""
    return int(first) if first.isdecimal() else 0


def _language(row: dict[str, Any]) -> str:
    return str(LANGUAGES.get(row["language"], row["language"]))


def _value(measure: str, value: float) -> str:
    return percent(value) if measure in SHARES else number(value)
