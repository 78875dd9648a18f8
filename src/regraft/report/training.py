"""What training was given and how it went: budget, shares, losses, difficulty."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from regraft.core import Artifact
from regraft.corpus import tables
from regraft.report import charts
from regraft.report.collect import Evidence, Rows, rows
from regraft.report.difficulty import difficulty
from regraft.report.forgetting import guarded
from regraft.report.sections import Figure, Section, Table
from regraft.report.words import NONE, number, panel, percent, stream

Tokens = Mapping[str, float]


def budget(evidence: Evidence) -> Section:
    """Show the tokens planned against the tokens served, by group, source and stream."""
    title, anchor = "Token budget", "budget"
    trainings = evidence.trainings()
    if not trainings:
        return Section(title=title, anchor=anchor, missing="This run trains no model.")
    figures = [figure for t in trainings for figure in _budget_of(evidence, t)]
    return Section(title=title, anchor=anchor, figures=tuple(figures))


def course(evidence: Evidence) -> Section:
    """Show losses, learning rate, shares and difficulty over time."""
    title, anchor = "The course of training", "course"
    trainings = evidence.trainings()
    if not trainings:
        return Section(title=title, anchor=anchor, missing="This run trains no model.")
    figures = [figure for t in trainings for figure in _course_of(evidence, t)]
    return Section(title=title, anchor=anchor, figures=tuple(figures))


def _budget_of(evidence: Evidence, training: Artifact) -> Iterable[Figure]:
    name, metrics = evidence.name(training), training.manifest.metrics
    planned, served = _prefixed(metrics, "planned."), _prefixed(metrics, "served.")
    labels = list({**planned, **served})
    if labels:
        data = [
            {"label": label, "series": series, "value": tokens.get(label, 0)}
            for label in labels
            for series, tokens in (("planned", planned), ("served", served))
        ]
        yield Figure(
            title=f"{name}: tokens planned and served",
            artifacts=(training.id,),
            caption="Planned: shares of the mixture times the budget. Served: what the sampler took, counted.",
            svg=charts.bars(data, x="tokens"),
        )
        lines = tuple((label, *_against(planned.get(label), served.get(label))) for label in labels)
        yield Figure(
            title=f"{name}: the same in figures",
            artifacts=(training.id,),
            table=Table(columns=("Group or source", "Planned", "Served", "Difference"), rows=lines),
        )
    yield _streams(evidence, training)
    yield from _events(evidence, training)


def _streams(evidence: Evidence, training: Artifact) -> Figure:
    served = _served(training)
    total = sum(tokens for _, _, tokens in served) or 1
    lines = tuple((stream(s), f"{n:,}", f"{tokens:,}", percent(tokens / total)) for s, n, tokens in served)
    return Figure(
        title=f"{evidence.name(training)}: served by stream",
        artifacts=(training.id,),
        caption=f"A stream is language/source/topic; a sequence has up to {_length(training)} tokens."
        + _left_over(training.manifest.metrics),
        table=Table(columns=("Stream", "Sequences", "Tokens", "Share of tokens"), rows=lines),
        folded=len(lines) > 10,
    )


def _served(training: Artifact) -> list[tuple[str, int, int]]:
    """Return (stream, sequences, tokens), most tokens first; the table grows with the budget, so Arrow sums it."""
    path = training.path / tables.SERVED_FILE
    if not path.is_file():
        return []
    served = tables.read(path, tables.SERVED, ["step", "stream", "sequence", "start", "stop"])
    tokens = pa.array(served["stop"].to_numpy() - served["start"].to_numpy())
    pieces = served.append_column("tokens", tokens)
    sequences = pieces.group_by(["stream", "step", "sequence"]).aggregate([("tokens", "sum")])
    streams = sequences.group_by("stream").aggregate([([], "count_all"), ("tokens_sum", "sum")])
    found = [(row["stream"], row["count_all"], row["tokens_sum_sum"]) for row in streams.to_pylist()]
    return sorted(found, key=lambda line: (-line[2], line[0]))


def _left_over(metrics: Mapping[str, object]) -> str:
    """Say what of the budget and of the documents was not served, where the manifest counts it."""
    padding, left_out = metrics.get("padding_tokens"), metrics.get("left_out_documents")
    said = [f"{padding:,} tokens of padding"] if isinstance(padding, int) else []
    if isinstance(left_out, int):
        said.append(f"{left_out:,} documents or parts of them left out, consumed by an earlier stage")
    return f" {'; '.join(said)}." if said else ""


def _events(evidence: Evidence, training: Artifact) -> Iterable[Figure]:
    """Yield what happened on the way; nothing where the training kept no record of it."""
    if not (training.path / tables.EVENTS_FILE).is_file():
        return
    events = rows(training, tables.EVENTS_FILE, tables.EVENTS)
    ended = len({event["stream"] for event in events if event["what"] == "ended"})
    lines = tuple(
        (f"{e['step']:,}", stream(e["stream"]) or NONE, e["what"], ", ".join(map(stream, e["detail"].split(", "))))
        for e in events
    )
    yield Figure(
        title=f"{evidence.name(training)}: what happened on the way",
        artifacts=(training.id,),
        caption=f"{ended} ended; what inherits their share stands beside." if ended else "No stream ended.",
        table=Table(columns=("Step", "Stream", "What", "Detail"), rows=lines, num_labels=4) if lines else None,
        folded=len(lines) > 10,
    )


def _course_of(evidence: Evidence, training: Artifact) -> Iterable[Figure]:
    name, ids = evidence.name(training), (training.id,)
    steps = rows(training, tables.STEPS_FILE, tables.STEPS)
    if steps:
        yield Figure(
            title=f"{name}: training loss",
            artifacts=ids,
            caption="Nats a token, each step and smoothed. Shares move while it runs, so it is no measure of progress.",
            svg=charts.curve(_smoothed(steps), x="step", y="loss, nats a token"),
        )
        rates = [{"x": r["step"], "y": r["learning_rate"]} for r in steps]
        yield Figure(
            title=f"{name}: learning rate",
            artifacts=ids,
            svg=charts.curve(rates, x="step", y="learning rate", zero=True),
        )
    yield from _shares(name, training)
    yield from _held_out(evidence, name, training)
    yield from difficulty(evidence, training)


def _shares(name: str, training: Artifact) -> Iterable[Figure]:
    shares = rows(training, tables.SHARES_FILE, tables.SHARES)
    if not shares:
        return
    last = max((r["step"] for r in rows(training, tables.STEPS_FILE, tables.STEPS)), default=0)
    sources: dict[tuple[int, str], float] = defaultdict(float)
    for row in _until(shares, last):
        sources[row["step"], "/".join(row["stream"].split("/", 2)[:2])] += row["effective_share"]
    names = sorted({source for _, source in sources})
    data = [{"x": s, "y": v, "series": k, "rank": names.index(k)} for (s, k), v in sorted(sources.items())]
    if len(names) > 1:
        yield Figure(
            title=f"{name}: shares of the mixture by source",
            artifacts=(training.id,),
            caption="As they are served from each decision on: the shares of ended streams have passed to others.",
            svg=charts.areas(data, x="step", y="share of sequences"),
        )
    moved = {r["stream"] for r in shares if abs(r["share"] - r["share_before"]) > 1e-12}
    if not moved:
        return
    chosen = _largest(shares, moved)
    panels = [
        {"x": r["step"], "y": 100 * r["share"], "panel": panel(r["stream"])}
        for r in _until(shares, last)
        if r["stream"] in chosen
    ]
    decisions = len({r["step"] for r in shares if r["step"] > 0})
    yield Figure(
        title=f"{name}: shares that were moved",
        artifacts=(training.id,),
        caption=f"{decisions} decisions; percent of the whole mixture.{_and_more(moved, chosen)}",
        svg=charts.panels(panels, x="step", y="share, %", steps=True),
    )
    yield _decisions(name, training, [r for r in shares if r["stream"] in moved])


def _decisions(name: str, training: Artifact, shares: Rows) -> Figure:
    lines = tuple(
        (
            stream(r["stream"]),
            f"{r['step']:,}",
            percent(r["share"]),
            percent(r["effective_share"]),
            number(r["loss"]),
            number(r["change"]),
            number(r["delta"]),
            number(r["factor"]),
            r["reason"],
        )
        for r in shares
    )
    return Figure(
        title=f"{name}: every decision",
        artifacts=(training.id,),
        caption="Loss is held-out nats a token of the stream's topic, change is against the decision before, delta "
        "what the controller makes of it. A share is served as another where streams have ended.",
        table=Table(
            columns=("Stream", "After step", "Share", "Served as", "Loss", "Change", "Delta", "Factor", "Reason"),
            rows=lines,
        ),
        folded=True,
    )


def _held_out(evidence: Evidence, name: str, training: Artifact) -> Iterable[Figure]:
    data = rows(training, tables.HELD_OUT_FILE, tables.HELD_OUT)
    if not data:
        return
    panels = [_point(row) for row in data if row["tokens"]]
    names = list(dict.fromkeys(p["panel"] for p in panels))
    chosen = set(names[: charts.MAX_PANELS])
    yield Figure(
        title=f"{name}: held-out loss while training",
        artifacts=(training.id, *(a.id for a in evidence.inputs(training, "held_out"))),
        caption="Nats a token on a small held-out part, by which the controller steers; band: 1.96 standard "
        f"errors over {_documents(data)}, none where they are too few.{_and_more(names, chosen)}{_guarded(training)}",
        svg=charts.panels([p for p in panels if p["panel"] in chosen], x="step", y="loss, nats a token"),
    )


def _guarded(training: Artifact) -> str:
    said = guarded(training)
    return f" {said}" if said else ""


def _point(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a point of a panel in nats a token, with a band of standard errors where there is one."""
    value, half = row["loss"] / row["tokens"], 1.96 * row["error"]
    half = half if math.isfinite(half) else 0.0
    name = f"{row['language']}/{row['source']}/{row['topic']}"
    return {"x": row["step"], "y": value, "low": value - half, "high": value + half, "panel": panel(name)}


def _documents(data: Rows) -> str:
    counts = [row["documents"] for row in data]
    return f"{min(counts)} to {max(counts)} documents" if min(counts) < max(counts) else f"{counts[0]} documents"


def _until(shares: Rows, last: int) -> Rows:
    """Return the shares with the last decision repeated at the end, so that its line has a length."""
    final = max(r["step"] for r in shares)
    return shares + [{**r, "step": last} for r in shares if r["step"] == final and last > final]


def _largest(shares: Rows, streams: Iterable[str]) -> set[str]:
    peak: dict[str, float] = defaultdict(float)
    for row in shares:
        peak[row["stream"]] = max(peak[row["stream"]], row["share"])
    return set(sorted(streams, key=lambda s: (-peak[s], s))[: charts.MAX_PANELS])


def _and_more(names: Iterable[str], chosen: Iterable[str]) -> str:
    left = len(set(names) - set(chosen))
    return f" {left} more are not drawn." if left else ""


def _smoothed(steps: Rows) -> Rows:
    """Return points with an exponential average over some twentieth of the run."""
    weight, smooth, points = 2 / (1 + max(2, len(steps) / 20)), math.nan, list[dict[str, float]]()
    for row in steps:
        smooth = row["loss"] if math.isnan(smooth) else smooth + weight * (row["loss"] - smooth)
        points.append({"x": row["step"], "y": row["loss"], "smooth": smooth})
    return points


def _prefixed(metrics: Mapping[str, object], prefix: str) -> dict[str, float]:
    return {
        k.removeprefix(prefix): float(v)
        for k, v in metrics.items()
        if k.startswith(prefix) and isinstance(v, int | float)
    }


def _against(planned: float | None, served: float | None) -> tuple[str, str, str]:
    apart = percent(served / planned - 1) if planned and served is not None else NONE
    first, second = (NONE if tokens is None else f"{tokens:,.0f}" for tokens in (planned, served))
    return first, second, apart


def _length(training: Artifact) -> object:
    return training.manifest.config.get("sequence_length", "an unknown number of")
