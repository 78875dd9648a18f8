"""How hard each document of an annotated corpus is, by a measure that the user names."""

import math

import pyarrow as pa

from regraft.core import Artifact
from regraft.corpus import tables

LOSS_MEASURES = {"loss_per_byte": "bytes", "loss_per_token": "tokens"}
"""Measures that are derived from `LOSSES`, and by which of its columns the loss is divided."""


def read_difficulty(annotation: Artifact | None, measure: str) -> dict[str, float] | None:
    """Return the difficulty of each document, NaN where it was not measured; None when there is no annotation.

    Args:
        annotation: with the table `LOSSES`, or with a column that is named like the measure.
        measure: `loss_per_byte` or `loss_per_token`, in nats, or the name of that column.

    Raises:
        SchemaError: the annotation has no such column.
    """
    if annotation is None:
        return None
    path = annotation.file(tables.ANNOTATION_FILE)
    if measure not in LOSS_MEASURES:
        schema = pa.schema([tables.LOSSES.field("id"), pa.field(measure, pa.float64(), nullable=False)])
        table = tables.read(path, schema, schema.names)
        return dict(zip(table["id"].to_pylist(), table[measure].to_pylist(), strict=True))
    table = tables.read(path, tables.LOSSES).to_pydict()
    columns = (table["id"], table["loss"], table[LOSS_MEASURES[measure]])
    return {id_: loss / size if size else math.nan for id_, loss, size in zip(*columns, strict=True)}
