"""How hard each document of an annotated corpus is, by a measure that the user names."""

import math
from pathlib import Path

import pyarrow as pa

from regraft.core import Artifact, SchemaError
from regraft.corpus import tables

LOSS_MEASURES = {"loss_per_byte": "bytes", "loss_per_token": "tokens"}
"""Measures that are derived from `LOSSES`, and by which of its columns the loss is divided."""


def read_difficulty(annotation: Artifact | None, measure: str) -> dict[str, float] | None:
    """Return the difficulty of each document, NaN where it was not measured; None when there is no annotation.

    Args:
        annotation: with the table `LOSSES`, or with a column that is named like the measure.
        measure: `loss_per_byte` or `loss_per_token`, in nats, or the name of that column, `compression_ratio` for
            instance.

    Raises:
        SchemaError: the annotation has no such measure; names those that it has.
    """
    if annotation is None:
        return None
    path = annotation.file(tables.ANNOTATION_FILE)
    there = measures_of(path)
    if measure not in there:
        raise SchemaError(f"{annotation.id} has no measure {measure!r}; set `measure` to one of {there}.")
    if measure not in LOSS_MEASURES:
        schema = pa.schema([tables.LOSSES.field("id"), pa.field(measure, pa.float64(), nullable=False)])
        table = tables.read(path, schema, schema.names)
        return dict(zip(table["id"].to_pylist(), table[measure].to_pylist(), strict=True))
    table = tables.read(path, tables.LOSSES).to_pydict()
    columns = (table["id"], table["loss"], table[LOSS_MEASURES[measure]])
    return {id_: loss / size if size else math.nan for id_, loss, size in zip(*columns, strict=True)}


def measures_of(path: Path) -> list[str]:
    """Return the measures that an annotation offers."""
    names = tables.columns(path)
    return list(LOSS_MEASURES) if names == tables.LOSSES.names else [name for name in names if name != "id"]
