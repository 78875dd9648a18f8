"""What was gained and what was kept: paired changes, criteria, bits per byte and accuracy."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from regraft.core import Artifact
from regraft.corpus import tables
from regraft.evaluation.retention import INFINITE
from regraft.evaluation.significance import MIN_CLUSTERS, MIN_ITEMS
from regraft.report import charts
from regraft.report.collect import Evidence, Rows, rows
from regraft.report.sections import Figure, Section, Table
from regraft.report.words import NO_INTERVAL, NONE, change, interval, number, over, percent, percent_interval, place

BITS = "bits per byte"
CRITERIA_TITLE = "What the recipe set out to show"
CHANCE = "accuracy by chance"
ACCURACIES = ("accuracy", "accuracy by byte")
LIMITS = {"max_tokens": "tokens", "max_bytes": "bytes"}
CLUSTERS = "What is resampled are clusters: all pages in one folder of a source, and any other document by itself."
TOO_FEW = f"{NO_INTERVAL}: fewer than {MIN_ITEMS} documents or {MIN_CLUSTERS} clusters, too few for an interval."


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
    figures = [f for name, found in _evaluated(evidence, BITS).items() for f in _bits_figures(name, found)]
    if not figures:
        return Section(title=title, anchor=anchor, missing="This run scores no held-out text.")
    return Section(title=title, anchor=anchor, figures=tuple(figures))


def accuracy(evidence: Evidence) -> Section:
    """Show multiple-choice accuracy of every model beside chance, each task by itself."""
    title, anchor = "Multiple-choice questions", "questions"
    figures = [f for name, found in _evaluated(evidence, CHANCE).items() for f in _task_figures(name, found)]
    if not figures:
        return Section(title=title, anchor=anchor, missing="This run asks no multiple-choice questions.")
    return Section(title=title, anchor=anchor, figures=tuple(figures))


def _evaluated(evidence: Evidence, metric: str) -> dict[str, list[Artifact]]:
    """Return, by task, the evaluations of one model that hold a metric."""
    found: dict[str, list[Artifact]] = {}
    for artifact in evidence.evaluations():
        for task in dict.fromkeys(row["task"] for row in _metrics(artifact) if row["metric"] == metric):
            found.setdefault(task, []).append(artifact)
    return found


def _bits_figures(task: str, found: Sequence[Artifact]) -> Iterable[Figure]:
    ids, data = tuple(a.id for a in found), _rows_of(found, task, BITS)
    sources = [row for row in data if row["slice"].count("/") < 2]
    topics = [row for row in data if row["slice"].count("/") >= 2]
    caption = f"Fewer bits are better.{_cut_at(found)} Lines are 95 % intervals. {CLUSTERS} {TOO_FEW}"
    yield Figure(
        title=f"{task}: bits per byte by language and source",
        artifacts=ids,
        caption=caption,
        svg=charts.intervals(_labelled(sources), x="bits per byte"),
    )
    table = _by_model(sources, _bits, place)
    yield Figure(title=f"{task}: the same in figures", artifacts=ids, table=table)
    if topics:
        table = _by_model(topics, _bits, place)
        title = f"{task}: bits per byte by topic"
        yield Figure(title=title, artifacts=ids, caption=TOO_FEW, table=table, folded=len(table.rows) > 12)


def _task_figures(task: str, found: Sequence[Artifact]) -> Iterable[Figure]:
    for slice_ in dict.fromkeys(row["slice"] for row in _rows_of(found, task)):
        parts = {a.id: [row for row in _rows_of([a], task) if row["slice"] == slice_] for a in found}
        ids = tuple(id_ for id_, part in parts.items() if part)
        data = [row for part in parts.values() for row in part]
        chances = {row["value"] for row in data if row["metric"] == CHANCE}
        plotted = [{**row, "label": row["metric"]} for row in data if row["metric"] in ACCURACIES]
        yield Figure(
            title=f"{task}, {place(slice_)}: accuracy against chance",
            artifacts=ids,
            caption=" ".join(dict.fromkeys(_asked(a) for a in found if a.id in ids))
            + " A choice is scored by the likelihood of its full text. Intervals are Wilson's over questions, 95 %.",
            svg=charts.intervals(
                plotted,
                x="share of questions answered rightly",
                reference=chances.pop() if len(chances) == 1 else None,
                reference_name="chance",
            ),
        )
        table = _by_model(data, _share, str, by="metric")
        yield Figure(title=f"{task}, {place(slice_)}: the same in figures", artifacts=ids, table=table)


def _asked(evaluation: Artifact) -> str:
    counts = evaluation.manifest.metrics
    left_out = ", ".join(
        f"{counts.get(k, 0):,} {k.replace('_', ' ')}" for k in ("not_drawn", "too_long", "duplicate", "malformed")
    )
    return f"{counts.get('asked', NONE)} questions; not asked: {left_out}."


def _cut_at(evaluations: Iterable[Artifact]) -> str:
    """Say how much of each document is scored: the rest of a long one is not looked at."""
    said: dict[str, None] = {}
    for config in (evaluation.manifest.config for evaluation in evaluations):
        limits = [f"{config[k]:,} {unit}" for k, unit in LIMITS.items() if config.get(k)]
        if limits:
            said[f" Only the first {' and at most '.join(limits)} of each document are scored."] = None
    return "".join(said)


def _rows_of(evaluations: Iterable[Artifact], task: str, metric: str = "") -> Rows:
    found = [row for evaluation in evaluations for row in _metrics(evaluation) if row["task"] == task]
    return [row for row in found if metric in ("", row["metric"])]


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
            yield change(row, old, new)


def _changes(evidence: Evidence, comparison: Artifact) -> Figure:
    before, after = (str(comparison.manifest.metrics.get(side, "?")) for side in ("before", "after"))
    lines = [
        (
            place(row["slice"]),
            f"{row['task']}: {row['metric'].removeprefix('relative ').removeprefix('change of ')}",
            _plain(row, old),
            _plain(row, new),
            percent_interval(row["value"], row["low"], row["high"])
            + ("" if row["metric"].startswith("relative") else " (points)"),
            over(row),
        )
        for row, old, new in _changed(comparison)
    ]
    columns = ("Text", "Figure", before, after, "Change, 95 % interval", "Over")
    return Figure(
        title=f"{after} against {before}",
        artifacts=(comparison.id, *(i.artifact for i in comparison.manifest.inputs)),
        caption="Paired: the same documents and questions under both models, resampled together."
        f"{_cut_at(evidence.inputs(comparison, 'before'))} {CLUSTERS} {TOO_FEW}{_churn(comparison)}",
        table=Table(columns=columns, rows=tuple(lines), num_labels=2),
        folded=len(lines) > 14,
    )


def _churn(comparison: Artifact) -> str:
    """Say how many answers turned right and wrong: a net change hides both."""
    found = {(r["task"], r["slice"], r["metric"]): r["value"] for r in _metrics(comparison)}
    parts = [
        f" {task}, {place(slice_)}, {name}: {found[task, slice_, f'{name} gained']:.0f} answers became right and "
        f"{found[task, slice_, f'{name} lost']:.0f} wrong (exact McNemar p = {value:.2g})."
        for (task, slice_, metric), value in found.items()
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
    """Check each criterion, given by the fields of `evaluation.retention.Criterion`, that the recipe stated."""
    found = _metrics(comparison)
    lines = tuple((str(c["name"]), _rule(c), *_checked(c, found)) for c in _wanted(comparison))
    return Figure(
        title=CRITERIA_TITLE,
        artifacts=(comparison.id,),
        caption=f"Stated before the run, and judged by the rule alone. {TOO_FEW}",
        table=Table(columns=("Criterion", "Rule applied", "Verdict", "Measured"), rows=lines, num_labels=4),
    )


def _rule(criterion: Mapping[str, Any]) -> str:
    """Return in words what is asked of the figure and of its interval."""
    what = "whole interval" if criterion.get("by") == "interval" else "figure"
    at_least, at_most = _bounds(criterion)
    parts = [f"{what} ≥ {percent(at_least)}"] if at_least > -INFINITE else []
    parts += [f"{what} ≤ {percent(at_most)}"] if at_most < INFINITE else []
    parts += ["interval excludes 0"] if criterion.get("excludes_zero") else []
    return ", ".join(parts) or "no bound"


def _bounds(criterion: Mapping[str, Any]) -> tuple[float, float]:
    return criterion.get("at_least", -INFINITE), criterion.get("at_most", INFINITE)


def _checked(criterion: Mapping[str, Any], found: Rows) -> tuple[str, str]:
    """Return the verdict and what was measured; what several tasks measure, or no interval shows, is not judged."""
    task, metric, slice_ = criterion.get("task", ""), criterion["metric"], criterion["slice"]
    fitting = [r for r in found if (r["metric"], r["slice"]) == (metric, slice_) and task in ("", r["task"])]
    if len(fitting) != 1:
        tasks = ", ".join(row["task"] for row in fitting)
        return "not measured", f"ambiguous: {tasks}; name the task" if fitting else NONE
    row = fitting[0]
    value, low, high = row["value"], row["low"], row["high"]
    measured = f"{percent_interval(value, low, high)}, {over(row)}"
    by_interval, excludes_zero = criterion.get("by") == "interval", bool(criterion.get("excludes_zero"))
    if (by_interval or excludes_zero) and not math.isfinite(low):
        return "not measured", measured
    at_least, at_most = _bounds(criterion)
    lowest, highest = (low, high) if by_interval else (value, value)
    met = at_least <= lowest and highest <= at_most and not (excludes_zero and low <= 0 <= high)
    return "met" if met else "not met", measured


def _labelled(data: Rows) -> Rows:
    return [{**row, "label": place(row["slice"])} for row in sorted(data, key=lambda r: r["slice"])]


def _by_model(
    data: Rows, show: Callable[[Mapping[str, Any]], str], label: Callable[[str], str], by: str = "slice"
) -> Table:
    """Return one line a slice (or metric) and one column a model; two figures for one cell stand side by side."""
    columns = (*dict.fromkeys(row["model"] for row in data), "Over")
    lines: dict[str, dict[str, dict[str, None]]] = {}
    for row in data:
        for column, cell in ((row["model"], show(row)), ("Over", over(row))):
            lines.setdefault(row[by], {}).setdefault(column, {})[cell] = None
    body = tuple((label(k), *("; ".join(line.get(c, (NONE,))) for c in columns)) for k, line in sorted(lines.items()))
    return Table(columns=("Text" if by == "slice" else "Figure", *columns), rows=body)


def _bits(row: Mapping[str, Any]) -> str:
    return interval(row["value"], row["low"], row["high"])


def _share(row: Mapping[str, Any]) -> str:
    if row["metric"].startswith(BITS):
        return _bits(row)
    return percent(row["value"]) if row["metric"] == CHANCE else percent_interval(row["value"], row["low"], row["high"])


def _plain(row: Mapping[str, Any], value: float) -> str:
    return number(value) if row["metric"].startswith("relative") else percent(value)
