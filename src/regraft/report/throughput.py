"""How fast a training ran, and where its time went."""

import json
from collections.abc import Iterable, Sequence

from regraft.core import Artifact
from regraft.corpus import tables
from regraft.report import charts
from regraft.report.collect import Evidence, Rows, is_table, rows
from regraft.report.sections import Figure, Section, Table
from regraft.report.words import duration, number, percent, size
from regraft.training.throughput import MACHINE_FILE, Laps, Machine, Part, Throughput

PARTS: dict[Part, str] = {
    "data": "waiting for data",
    "forward_backward": "forward and backward",
    "optimizer": "optimizer",
    "evaluation": "held-out evaluation",
    "checkpoint": "checkpoints",
    "logging": "logging",
}
MAX_POINTS = 120
"""Of a chart; more steps are averaged."""


def speed(evidence: Evidence) -> Section:
    """Show tokens a second, model FLOP utilisation and shares of time of each training."""
    title, anchor = "Speed of training", "speed"
    found = [(training, times) for training in evidence.trainings() if (times := _times(training))]
    if not found:
        return Section(title=title, anchor=anchor, missing="No training of this run has a record of its time.")
    totals = [(training, _throughput(training, times)) for training, times in found]
    figures = [_summary(evidence, totals), *(f for t, times in found for f in _course(evidence, t, times))]
    sentences = tuple(_sentence(evidence.name(training), total) for training, total in totals)
    return Section(title=title, anchor=anchor, sentences=sentences, figures=tuple(figures))


def _times(training: Artifact) -> Rows:
    """Return the rows of STEP_TIMES; none where the times were not recorded, or by an earlier version."""
    known = is_table(training, tables.STEP_TIMES_FILE, tables.STEP_TIMES) and (training.path / MACHINE_FILE).is_file()
    times = rows(training, tables.STEP_TIMES_FILE, tables.STEP_TIMES) if known else []
    return times if times and {f"{part}_seconds" for part in PARTS} <= set(times[0]) else []


def _throughput(training: Artifact, times: Rows) -> Throughput:
    machine = Machine(**json.loads((training.path / MACHINE_FILE).read_text("utf-8")))
    tokens = round(sum(row["seconds"] * row["tokens_per_second"] for row in times))
    return Throughput(laps=Laps.total(times), tokens=tokens, machine=machine)


def _sentence(name: str, total: Throughput) -> str:
    beside = 1 - total.share("forward_backward") - total.share("optimizer")
    return (
        f"{name} trained on {total.tokens_per_second:,.0f} tokens/s, {percent(total.mfu)} of the peak of "
        f"{total.machine.device} (MFU); data, evaluation, checkpoints and logging took {percent(beside)} of the time."
    )


def _summary(evidence: Evidence, totals: Sequence[tuple[Artifact, Throughput]]) -> Figure:
    sources = {total.machine.peak_source for _, total in totals}
    return Figure(
        title="Speed of each training",
        artifacts=tuple(training.id for training, _ in totals),
        caption="Tokens/s while it trains. MFU: operations that the model needs, 6 N + 12 L a S a token (PaLM, "
        f"appendix B), against the peak ({'; '.join(sorted(sources))}). Shares are of all time.",
        table=Table(
            columns=("Training", "Tokens/s", "MFU", "Accelerator-hours", "Peak memory of a process", *_headings()),
            rows=tuple(_line(evidence.name(training), total) for training, total in totals),
        ),
    )


def _headings() -> tuple[str, ...]:
    return tuple(name[0].upper() + name[1:] for name in PARTS.values())


def _line(name: str, total: Throughput) -> tuple[str, ...]:
    return (
        name,
        f"{total.tokens_per_second:,.0f}",
        number(total.mfu, 2),
        number(total.accelerator_hours, 2),
        size(total.machine.peak_memory_bytes),
        *(percent(total.share(part)) for part in PARTS),
    )


def _course(evidence: Evidence, training: Artifact, times: Rows) -> Iterable[Figure]:
    name = evidence.name(training)
    points = [(group[-1]["step"], _throughput(training, group)) for group in _groups(times)]
    speeds = [{"x": step, "y": total.tokens_per_second} for step, total in points]
    yield Figure(
        title=f"{name}: tokens a second",
        artifacts=(training.id,),
        caption=f"{len(times):,} steps in {duration(Laps.total(times).seconds)}, those of before a kill not counted "
        "twice.",
        svg=charts.curve(speeds, x="step", y="tokens/s", zero=True),
    )
    shares = [
        {"x": step, "y": total.share(part), "series": label, "rank": rank}
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
