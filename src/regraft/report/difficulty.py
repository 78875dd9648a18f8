"""Difficulty over time: how hard the documents were, for the base model, that each step of a training saw."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from regraft.core import Artifact
from regraft.corpus import tables
from regraft.report import charts
from regraft.report.collect import Evidence, is_table, rows
from regraft.report.sections import Figure
from regraft.report.words import panel


def difficulty(evidence: Evidence, training: Artifact) -> Iterable[Figure]:
    """Yield the figure, or nothing where no document of the training has a difficulty."""
    losses: dict[str, float] = {}
    sources: list[str] = []
    for tokens in evidence.inputs(training, "tokens"):
        for annotation in (a for i in tokens.manifest.inputs for a in evidence.inputs(tokens, i.role)):
            if is_table(annotation, tables.ANNOTATION_FILE, tables.LOSSES):
                losses |= _bits_per_byte(annotation)
                sources += [tokens.id, annotation.id]
    points = _points(training, losses)
    if not points:
        return
    names = list(dict.fromkeys(p["panel"] for p in points))
    chosen = set(names[: charts.MAX_PANELS])
    more = f" {len(names) - len(chosen)} more streams are not drawn." if len(names) > len(chosen) else ""
    yield Figure(
        title=f"{evidence.name(training)}: difficulty of what was served",
        artifacts=(training.id, *dict.fromkeys(sources)),
        caption="Bits per byte of the documents under the base model, by step in which they were served." + more,
        svg=charts.panels([p for p in points if p["panel"] in chosen], x="step", y="bits per byte"),
    )


def _bits_per_byte(annotation: Artifact) -> dict[str, float]:
    scored = rows(annotation, tables.ANNOTATION_FILE, tables.LOSSES)
    return {row["id"]: row["loss"] / (math.log(2) * row["bytes"]) for row in scored if row["bytes"]}


def _points(training: Artifact, difficulty: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the mean difficulty over the tokens that each step took from each stream, by stream and step."""
    sums: dict[tuple[str, int], float] = defaultdict(float)
    tokens: dict[tuple[str, int], int] = defaultdict(int)
    for row in rows(training, tables.SERVED_FILE, tables.SERVED):
        if row["id"] in difficulty:
            cell = row["stream"], row["step"]
            sums[cell] += difficulty[row["id"]] * (row["stop"] - row["start"])
            tokens[cell] += row["stop"] - row["start"]
    return [{"x": cell[1], "y": sums[cell] / tokens[cell], "panel": panel(cell[0])} for cell in sorted(tokens)]
