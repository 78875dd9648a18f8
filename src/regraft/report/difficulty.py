"""Difficulty over time: how hard the documents were, for the base model, that each step of a training saw."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from regraft.core import Artifact
from regraft.corpus import tables
from regraft.corpus.packing import Packing, concat_and_cut, keep_whole
from regraft.report import charts
from regraft.report.collect import Evidence, is_table, rows
from regraft.report.sections import Figure
from regraft.report.words import panel


@dataclass(frozen=True, slots=True)
class Scored:
    """A stream whose documents have a difficulty, in bits per byte, packed as it was in training."""

    packing: Packing
    difficulty: Sequence[float]

    def of_sequence(self, number: int) -> float:
        """Return the mean over the tokens of a sequence."""
        pieces = self.packing.pieces(number % len(self.packing))
        total = sum(stop - start for _, start, stop in pieces)
        return sum((stop - start) * self.difficulty[document] for document, start, stop in pieces) / total


def difficulty(evidence: Evidence, training: Artifact) -> Iterable[Figure]:
    """Yield the figure, or nothing where no stream of the training has a difficulty.

    Which sequence held which documents is not stored: it follows from the tokens and the config, as in training.
    """
    streams: dict[str, Scored] = {}
    sources: list[str] = []
    for tokens in evidence.inputs(training, "tokens"):
        annotations = [a for i in tokens.manifest.inputs for a in evidence.inputs(tokens, i.role) if _is_difficulty(a)]
        if annotations:
            streams |= _scored_streams(training, tokens, annotations[0])
            sources += [tokens.id, annotations[0].id]
    points = _points(training, streams)
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


def _is_difficulty(artifact: Artifact) -> bool:
    return is_table(artifact, tables.ANNOTATION_FILE, tables.LOSSES)


def _scored_streams(training: Artifact, tokens: Artifact, annotation: Artifact) -> dict[str, Scored]:
    config = training.manifest.config
    losses = {
        r["id"]: r["loss"] / (math.log(2) * r["bytes"])
        for r in rows(annotation, tables.ANNOTATION_FILE, tables.LOSSES)
        if r["bytes"]
    }
    documents: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(tokens, tables.INDEX_FILE, tables.INDEX):
        documents[f"{row['language']}/{row['source']}/{row['topic']}"].append(row)
    streams: dict[str, Scored] = {}
    for stream, members in documents.items():
        if all(row["id"] in losses for row in members):
            pack = keep_whole if members[0]["source"] in config.get("whole_sources", ()) else concat_and_cut
            packing = pack([row["length"] for row in members], int(config["sequence_length"]))
            streams[stream] = Scored(packing, [losses[row["id"]] for row in members])
    return streams


def _points(training: Artifact, streams: dict[str, Scored]) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = []
    for row in rows(training, tables.SERVED_FILE, tables.SERVED):
        if stream := streams.get(row["stream"]):
            values = [stream.of_sequence(row["first"] + i) for i in range(row["count"])]
            points.append({"x": row["step"], "y": sum(values) / len(values), "panel": panel(row["stream"])})
    return sorted(points, key=lambda p: (p["panel"], p["x"]))
