"""How fast a training ran, and where its time went."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from regraft.core import Artifact
from regraft.corpus import tables
from regraft.report import charts
from regraft.report.collect import Evidence, Rows, is_table, rows
from regraft.report.sections import Figure, Section, Table
from regraft.report.words import NONE, duration, number, percent, size

MACHINE_FILE = "timing/machine.json"
"""As `training.throughput` writes it."""
PARTS = {
    "data_seconds": "waiting for data",
    "forward_backward_seconds": "forward and backward",
    "optimizer_seconds": "optimizer",
    "evaluation_seconds": "held-out evaluation",
    "checkpoint_seconds": "checkpoints",
    "logging_seconds": "logging",
}
TRAINING = ("data_seconds", "forward_backward_seconds", "optimizer_seconds")
MAX_POINTS = 120
"""Of a chart; more steps are averaged."""


def speed(evidence: Evidence) -> Section:
    """Show tokens a second, model FLOP utilisation and shares of time of each training."""
    title, anchor = "Speed of training", "speed"
    timed = [t for t in evidence.trainings() if is_table(t, tables.STEP_TIMES_FILE, tables.STEP_TIMES)]
    found = [(t, rows(t, tables.STEP_TIMES_FILE, tables.STEP_TIMES)) for t in timed]
    found = [(t, times) for t, times in found if times and set(PARTS) <= set(times[0])]
    if not found:
        return Section(title=title, anchor=anchor, missing="No training of this run has a record of its time.")
    figures = [_summary(evidence, found), *(f for t, times in found for f in _course(evidence, t, times))]
    return Section(title=title, anchor=anchor, sentences=tuple(_sentences(evidence, found)), figures=tuple(figures))


Timed = list[tuple[Artifact, Rows]]


def _sentences(evidence: Evidence, found: Timed) -> Iterable[str]:
    for training, times in found:
        total, machine = _total(times), _machine(training)
        beside = sum(total[part] for part in PARTS if part not in TRAINING) + total["data_seconds"]
        used = f", {percent(_mfu(total, machine))} of the peak of {machine['device']} (MFU)" if machine else ""
        yield (
            f"{evidence.name(training)} trained on {_rate(total):,.0f} tokens/s{used}; data, evaluation, checkpoints "
            f"and logging took {percent(beside / _all(total))} of the time."
        )


def _summary(evidence: Evidence, found: Timed) -> Figure:
    lines = tuple(_line(evidence, training, _total(times)) for training, times in found)
    sources = {machine["peak_source"] for training, _ in found if (machine := _machine(training))}
    return Figure(
        title="Speed of each training",
        artifacts=tuple(training.id for training, _ in found),
        caption="Tokens/s while it trains. MFU: operations that the model needs, 6 N + 12 L a S a token (PaLM, "
        f"appendix B), against the peak ({'; '.join(sorted(sources)) or 'not recorded'}). Shares are of all time.",
        table=Table(
            columns=("Training", "Tokens/s", "MFU", "Accelerator-hours", "Peak memory of a process", *_headings()),
            rows=lines,
        ),
    )


def _headings() -> tuple[str, ...]:
    return tuple(name[0].upper() + name[1:] for name in PARTS.values())


def _line(evidence: Evidence, training: Artifact, total: Mapping[str, float]) -> tuple[str, ...]:
    machine, seconds = _machine(training), _all(total)
    return (
        evidence.name(training),
        f"{_rate(total):,.0f}",
        number(_mfu(total, machine), 2) if machine else NONE,
        number(seconds * machine["num_ranks"] / 3600, 2) if machine else NONE,
        size(machine["peak_memory_bytes"]) if machine else NONE,
        *(percent(total[part] / seconds) for part in PARTS),
    )


def _course(evidence: Evidence, training: Artifact, times: Rows) -> Iterable[Figure]:
    name = evidence.name(training)
    points = [(group[-1]["step"], _total(group)) for group in _groups(times)]
    yield Figure(
        title=f"{name}: tokens a second",
        artifacts=(training.id,),
        caption=f"{len(times):,} steps in {duration(_all(_total(times)))}, those of before a kill not counted twice.",
        svg=charts.curve([{"x": step, "y": _rate(total)} for step, total in points], x="step", y="tokens/s", zero=True),
    )
    shares = [
        {"x": step, "y": total[part] / _all(total), "series": label, "rank": rank}
        for step, total in points
        for rank, (part, label) in enumerate(PARTS.items())
    ]
    yield Figure(
        title=f"{name}: where the time went",
        artifacts=(training.id,),
        svg=charts.areas(shares, x="step", y="share of time"),
        folded=True,
    )


def _groups(times: Rows) -> Iterable[Rows]:
    width = -(-len(times) // MAX_POINTS)
    return (times[start : start + width] for start in range(0, len(times), width))


def _total(times: Rows) -> dict[str, float]:
    """Return the sums of all parts, and the tokens."""
    total = {part: float(sum(row[part] for row in times)) for part in PARTS}
    return {**total, "tokens": sum(row["seconds"] * row["tokens_per_second"] for row in times)}


def _all(total: Mapping[str, float]) -> float:
    return sum(total[part] for part in PARTS) or 1.0


def _rate(total: Mapping[str, float]) -> float:
    return total["tokens"] / (sum(total[part] for part in TRAINING) or 1.0)


def _mfu(total: Mapping[str, float], machine: Mapping[str, Any]) -> float:
    return _rate(total) * machine["flops_per_token"] / (machine["num_ranks"] * machine["peak_flops"])


def _machine(training: Artifact) -> dict[str, Any] | None:
    path = training.path / MACHINE_FILE
    return json.loads(path.read_text("utf-8")) if path.is_file() else None
