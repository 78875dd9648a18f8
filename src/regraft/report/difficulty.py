"""Difficulty over time: how hard the documents were, for the base model, that each step of a training saw."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from regraft.core import Artifact
from regraft.corpus import tables
from regraft.report import charts
from regraft.report.collect import Evidence, is_table
from regraft.report.sections import Figure
from regraft.report.words import panel


def difficulty(evidence: Evidence, training: Artifact) -> Iterable[Figure]:
    """Yield the figure, or nothing where no document of the training has a difficulty."""
    scored = {
        annotation.id: (tokens, annotation)
        for tokens in evidence.inputs(training, "tokens")
        for annotation in (a for i in tokens.manifest.inputs for a in evidence.inputs(tokens, i.role))
        if is_table(annotation, tables.ANNOTATION_FILE, tables.LOSSES)
    }
    points = points_of(training, [annotation for _, annotation in scored.values()])
    if not points:
        return
    sources = [artifact.id for pair in scored.values() for artifact in pair]
    names = list(dict.fromkeys(p["panel"] for p in points))
    chosen = set(names[: charts.MAX_PANELS])
    more = f" {len(names) - len(chosen)} more streams are not drawn." if len(names) > len(chosen) else ""
    yield Figure(
        title=f"{evidence.name(training)}: difficulty of what was served",
        artifacts=(training.id, *dict.fromkeys(sources)),
        caption="Bits per byte of the documents under the base model, by step in which they were served." + more,
        svg=charts.panels([p for p in points if p["panel"] in chosen], x="step", y="bits per byte"),
    )


def points_of(training: Artifact, annotations: Sequence[Artifact]) -> list[dict[str, Any]]:
    """Return the mean difficulty over the tokens that each step took from each stream, by stream and step.

    Tables grow with the corpus, so they stay in Arrow until they are summed.
    """
    path = training.path / tables.SERVED_FILE
    if not annotations or not path.is_file():
        return []
    bits = pa.concat_tables(map(_bits_per_byte, annotations)).group_by("id", use_threads=False)
    served = tables.read(path, tables.SERVED, ["step", "stream", "id", "start", "stop"])
    tokens = served["stop"].to_numpy() - served["start"].to_numpy()
    known = served.append_column("tokens", pa.array(tokens, pa.float64())).join(
        bits.aggregate([("bits", "mean")]), "id", join_type="inner", use_threads=False
    )
    weighted = known.append_column("weighted", pa.array(known["tokens"].to_numpy() * known["bits_mean"].to_numpy()))
    cells = weighted.group_by(["stream", "step"], use_threads=False).aggregate([("weighted", "sum"), ("tokens", "sum")])
    return [
        {"x": row["step"], "y": row["weighted_sum"] / row["tokens_sum"], "panel": panel(row["stream"])}
        for row in cells.sort_by([("stream", "ascending"), ("step", "ascending")]).to_pylist()
    ]


def _bits_per_byte(annotation: Artifact) -> pa.Table:
    """Return `id` and `bits` of the documents that have any bytes."""
    scored = tables.read(annotation.path / tables.ANNOTATION_FILE, tables.LOSSES)
    scored = scored.filter(pa.array(scored["bytes"].to_numpy() > 0))
    return pa.table(
        {"id": scored["id"], "bits": scored["loss"].to_numpy() / (scored["bytes"].to_numpy() * math.log(2))}
    )
