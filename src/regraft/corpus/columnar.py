"""Parquet and Arrow tables, read a few rows at a time: a broken row group loses itself and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from regraft.corpus.document import Reject
from regraft.corpus.fields import Fields
from regraft.corpus.readers import Record, Unreadable, too_large, unreadable

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 256
"""Rows that are decoded at once."""
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table(Fields):
    """Rows of record batches."""

    def _missing(self, name: str, columns: list[str]) -> Unreadable | None:
        """Say which field no row of the file can have."""
        for path in self.paths:
            if path not in columns and path.partition(".")[0] not in columns:
                return Unreadable(place=name, reject=Reject("missing_field", f"no column {path!r} in {columns}"))
        return None

    def _columns(self, columns: list[str]) -> list[str]:
        tops = {path if path in columns else path.partition(".")[0] for path in self.paths}
        return [column for column in columns if column in tops]

    def _rows(self, name: str, first: int, batch: "pa.RecordBatch") -> Iterator[Record | Unreadable]:
        """Yield the rows of a batch whose first row is number `first` of the file, from 1."""
        try:
            rows = batch.to_pylist()
        except UnicodeDecodeError as error:
            if batch.num_rows == 1:
                yield unreadable(f"{name}:{first}", "encoding", error)
                return
            for n in range(batch.num_rows):
                yield from self._rows(name, first + n, batch.slice(n, 1))
            return
        for number, row in enumerate(rows, start=first):
            yield self._bounded(self.record(f"{name}:{number}", row))

    def _bounded(self, found: Record | Unreadable) -> Record | Unreadable:
        if isinstance(found, Unreadable) or len(found.text) * 4 <= self.max_bytes:
            return found
        return found if len(found.text.encode()) <= self.max_bytes else too_large(found.place, self.max_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetTable(_Table):
    """One text a row of a Parquet file."""

    def records(self, name: str, file: BinaryIO) -> Iterator[Record | Unreadable]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            yield _broken(name, "broken_parquet", error)
            return
        if missing := self._missing(name, table.schema_arrow.names):
            yield missing
            return
        first = 1
        for group in range(table.num_row_groups):
            try:
                yield from self._group(name, first, table, group)
            except (pa.ArrowException, OSError) as error:
                yield _broken(f"{name}:row-group {group}", "broken_parquet", error)
            first += table.metadata.row_group(group).num_rows

    def _group(self, name: str, first: int, table: Any, group: int) -> Iterator[Record | Unreadable]:
        columns = self._columns(table.schema_arrow.names)
        for batch in table.iter_batches(ROWS, row_groups=[group], columns=columns, use_threads=False):
            yield from self._rows(name, first, batch)
            first += batch.num_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrowTable(_Table):
    """One text a row of an Arrow file or stream, such as the `*.arrow` files of `Dataset.save_to_disk`."""

    def records(self, name: str, file: BinaryIO) -> Iterator[Record | Unreadable]:
        import pyarrow as pa

        first = 1
        try:
            for batch in self._batches(file):
                if missing := self._missing(name, batch.schema.names):
                    yield missing
                    return
                chosen = batch.select(self._columns(batch.schema.names))
                for start in range(0, batch.num_rows, ROWS):
                    yield from self._rows(name, first + start, chosen.slice(start, ROWS))
                first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            yield _broken(f"{name}:after row {first - 1}", "broken_arrow", error)

    def _batches(self, file: BinaryIO) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        magic = file.read(6)
        file.seek(0)
        if magic == b"ARROW1":
            reader = pa.ipc.open_file(file)
            yield from (reader.get_batch(n) for n in range(reader.num_record_batches))
            return
        yield from pa.ipc.open_stream(file)
        file.seek(-len(_END_OF_STREAM), 2)
        if file.read() != _END_OF_STREAM:
            raise pa.ArrowInvalid("the stream ends without its end mark: it is cut")


def _broken(place: str, reason: str, error: Exception) -> Unreadable:
    """Say that a table is broken; an error of the machine is raised, since it says nothing about the file."""
    if isinstance(error, OSError) and error.errno:
        raise error
    return unreadable(place, reason, error)
