"""What was gained and what was kept: paired changes, criteria, bits per byte and accuracy."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from regraft.core import Artifact
from regraft.corpus import tables
from regraft.report import charts
from regraft.report.collect import Evidence, Rows, rows
from regraft.report.sections import Figure, Section, Table
from regraft.report.words import NONE, change, interval, number, percent, place

BITS = "bits per byte"
CHANCE = "accuracy by chance"
ACCURACIES = ("accuracy", "accuracy by byte")


def headline(evidence: Evidence) -> Section:
    """Say what the last comparison shows, first in sentences, then as a table; criteria of the recipe are checked."""
    title, anchor = "What was gained and kept", "headline"
    comparisons = evidence.comparisons()
    if not comparisons:
        return Section(title=title, anchor=anchor, missing="This run compares no two models.")
    figures = [_criteria(comparisons[-1])] if _wanted(comparisons[-1]) else []
    figures += [_changes(evidence, comparison) for comparison in reversed(comparisons)]
    return Section(title=title, anchor=anchor, sentences=tuple(_verdict(comparisons[-1])), figures=tuple(figures))


def bits_per_byte(evidence: Evidence) -> Section:
    """Show held-out bits per byte of every model, by language, source and topic."""
    title, anchor = "Held-out bits per byte", "bits-per-byte"
    found = [a for a in evidence.evaluations() if any(r["metric"] == BITS for r in _metrics(a))]
    data = [row for a in found for row in _metrics(a) if row["metric"] == BITS]
    if not data:
        return Section(title=title, anchor=anchor, missing="This run scores no held-out text.")
    ids = tuple(a.id for a in found)
    sources = [row for row in data if row["slice"].count("/") < 2]
    topics = [row for row in data if row["slice"].count("/") >= 2]
    caption = "Fewer bits are better. Lines are 95 % intervals over documents; all models read the same documents."
    figures = [
        Figure(
            title="Bits per byte by language and source",
            artifacts=ids,
            caption=caption,
            svg=charts.intervals(_labelled(sources), x="bits per byte of held-out text"),
        ),
        Figure(title="The same in figures", artifacts=ids, table=_by_model(sources, _bits)),
    ]
    if topics:
        table = _by_model(topics, _bits)
        figures.append(Figure(title="Bits per byte by topic", artifacts=ids, table=table, folded=len(table.rows) > 12))
    return Section(title=title, anchor=anchor, figures=tuple(figures))


def accuracy(evidence: Evidence) -> Section:
    """Show multiple-choice accuracy of every model beside chance."""
    title, anchor = "Multiple-choice questions", "questions"
    found = [a for a in evidence.evaluations() if any(r["metric"] == CHANCE for r in _metrics(a))]
    if not found:
        return Section(title=title, anchor=anchor, missing="This run asks no multiple-choice questions.")
    ids, data = tuple(a.id for a in found), [row for a in found for row in _metrics(a)]
    chance = next(row["value"] for row in data if row["metric"] == CHANCE)
    plotted = [{**row, "label": f"{row['task']}: {row['metric']}"} for row in data if row["metric"] in ACCURACIES]
    counts = found[0].manifest.metrics
    left_out = ", ".join(
        f"{counts.get(k, 0)} {k.replace('_', ' ')}" for k in ("not_drawn", "too_long", "duplicate", "malformed")
    )
    caption = (
        f"{counts.get('asked', NONE)} questions; not asked: {left_out}. A choice is scored by the likelihood of its "
        "full text. Intervals are Wilson's, 95 %."
    )
    figures = (
        Figure(
            title="Accuracy against chance",
            artifacts=ids,
            caption=caption,
            svg=charts.intervals(
                plotted, x="share of questions answered rightly", reference=chance, reference_name="chance"
            ),
        ),
        Figure(title="The same in figures", artifacts=ids, table=_by_model(data, _share, by="metric")),
    )
    return Section(title=title, anchor=anchor, figures=figures)


def _metrics(artifact: Artifact) -> Rows:
    return rows(artifact, tables.METRICS_FILE, tables.METRICS)


def _changed(comparison: Artifact) -> list[tuple[dict[str, Any], float, float]]:
    """Return the rows of change of a comparison with the figures before and after."""
    found = _metrics(comparison)
    values = {(r["task"], r["metric"], r["slice"]): r["value"] for r in found}
    changes: list[tuple[dict[str, Any], float, float]] = []
    for row in found:
        name = row["metric"].removeprefix("relative ")
        if name.startswith("change of "):
            key = name.removeprefix("change of ")
            before, after = (values[row["task"], f"{key} {when}", row["slice"]] for when in ("before", "after"))
            changes.append((row, before, after))
    return changes


def _verdict(comparison: Artifact) -> Iterable[str]:
    before, after = (comparison.manifest.metrics.get(side, "?") for side in ("before", "after"))
    yield f"{after} against {before}, on the same documents and questions, with 95 % intervals:"
    for row, old, new in _changed(comparison):
        if row["slice"].count("/") < 2:
            unit = "documents" if row["metric"].endswith(BITS) else "questions"
            yield change(row, old, new, unit)


def _changes(evidence: Evidence, comparison: Artifact) -> Figure:
    before, after = (str(comparison.manifest.metrics.get(side, "?")) for side in ("before", "after"))
    lines = [
        (
            place(row["slice"]),
            f"{row['task']}: {row['metric'].removeprefix('relative ').removeprefix('change of ')}",
            _plain(row, old),
            _plain(row, new),
            percent(row["value"], row["low"], row["high"])
            + ("" if row["metric"].startswith("relative") else " (points)"),
            f"{row['n']:,}",
        )
        for row, old, new in _changed(comparison)
    ]
    columns = ("Text", "Figure", before, after, "Change, 95 % interval", "Items")
    return Figure(
        title=f"{after} against {before}",
        artifacts=(comparison.id, *(i.artifact for i in comparison.manifest.inputs)),
        caption="Paired: the same items under both models, resampled together." + _churn(comparison),
        table=Table(columns=columns, rows=tuple(lines), num_labels=2),
        folded=len(lines) > 14,
    )


def _churn(comparison: Artifact) -> str:
    """Say how many answers turned right and wrong: a net change hides both."""
    found = {(r["task"], r["metric"]): r["value"] for r in _metrics(comparison)}
    parts = [
        f" {task}, {name}: {found[task, f'{name} gained']:.0f} answers became right and "
        f"{found[task, f'{name} lost']:.0f} wrong (exact McNemar p = {value:.2g})."
        for (task, metric), value in found.items()
        if (name := metric.removesuffix(" McNemar p")) != metric
    ]
    return "".join(parts)


def notes(evidence: Evidence) -> Sequence[str]:
    """Return what the recipe noted for readers of its last comparison."""
    comparisons = evidence.comparisons()
    return comparisons[-1].manifest.config.get("notes", ()) if comparisons else ()


def _wanted(comparison: Artifact) -> Sequence[Mapping[str, Any]]:
    return comparison.manifest.config.get("criteria", ())


def _criteria(comparison: Artifact) -> Figure:
    """Check each criterion `{name, metric, slice, at_most, at_least, excludes_zero}` that the recipe stated."""
    found = {(r["metric"], r["slice"]): r for r in _metrics(comparison)}
    lines = [
        _checked(criterion, found.get((criterion["metric"], criterion["slice"]))) for criterion in _wanted(comparison)
    ]
    return Figure(
        title="What the recipe set out to show",
        artifacts=(comparison.id,),
        caption="Stated before the run. The figure itself decides, and its interval where the criterion says so.",
        table=Table(columns=("Criterion", "Verdict", "Measured"), rows=tuple(lines), num_labels=2),
    )


def _checked(criterion: Mapping[str, Any], row: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if row is None:
        return str(criterion["name"]), "not measured", NONE
    value, low, high = row["value"], row["low"], row["high"]
    met = criterion.get("at_least", -math.inf) <= value <= criterion.get("at_most", math.inf)
    if criterion.get("excludes_zero"):
        met = met and (low > 0 or high < 0)
    return str(criterion["name"]), "met" if met else "not met", percent(value, low, high)


def _labelled(data: Rows) -> Rows:
    return [{**row, "label": place(row["slice"])} for row in sorted(data, key=lambda r: r["slice"])]


def _by_model(data: Rows, show: Any, by: str = "slice") -> Table:
    """Return one line a slice (or metric) and one column a model."""
    models = list(dict.fromkeys(row["model"] for row in data))
    lines: dict[str, dict[str, str]] = {}
    counts: dict[str, int] = {}
    for row in data:
        lines.setdefault(row[by], {})[row["model"]] = show(row)
        counts[row[by]] = row["n"]
    label = place if by == "slice" else str
    body = tuple((label(k), *(v.get(m, NONE) for m in models), f"{counts[k]:,}") for k, v in sorted(lines.items()))
    return Table(columns=("Text" if by == "slice" else "Figure", *models, "Items"), rows=body)


def _bits(row: Mapping[str, Any]) -> str:
    return interval(row["value"], row["low"], row["high"])


def _share(row: Mapping[str, Any]) -> str:
    if row["metric"].startswith(BITS):
        return _bits(row)
    return (
        number(100 * row["value"], 1) + " %"
        if row["metric"] == CHANCE
        else percent(row["value"], row["low"], row["high"])
    )


def _plain(row: Mapping[str, Any], value: float) -> str:
    return number(value) if row["metric"].startswith("relative") else percent(value)
