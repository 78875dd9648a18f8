"""What happened in a training, row by row: appended as it goes, one file for each stretch between two checkpoints.

Work and memory are those of the new rows, however long the training is. Rows of a course that was given up, by a kill
or a roll-back, are cut off by their step.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from regraft.core.artifact import flush_file
from regraft.corpus import tables

TABLES = {
    "steps": (tables.STEPS_FILE, tables.STEPS),
    "served": (tables.SERVED_FILE, tables.SERVED),
    "skipped": (tables.SKIPPED_FILE, tables.SERVED),
    "shares": (tables.SHARES_FILE, tables.SHARES),
    "held_out": (tables.HELD_OUT_FILE, tables.HELD_OUT),
    "events": (tables.EVENTS_FILE, tables.EVENTS),
    "times": (tables.STEP_TIMES_FILE, tables.STEP_TIMES),
}
"""By name: file in the artifact and schema."""
FOLDER = "ledger"

Rows = list[dict[str, Any]]


@dataclass(slots=True)
class Ledger:
    """The tables of a training, in `scratch`; only the first process has one that writes."""

    scratch: Path
    writes: bool = True
    new: dict[str, Rows] = field(default_factory=lambda: {name: [] for name in TABLES})
    """Rows by table that are not on disk yet."""
    served: Counter[str] = field(default_factory=Counter[str])
    """Tokens by stream so far."""

    def add(self, table: str, *rows: dict[str, Any]) -> None:
        """Append rows to the table of that name."""
        if table == "served":
            for row in rows:
                self.served[row["stream"]] += row["stop"] - row["start"]
        if self.writes:
            self.new[table] += rows

    def flush(self, step: int) -> None:
        """Write what is new to disk as the rows up to `step`, before the checkpoint of that step is written."""
        for name, rows in self.new.items():
            if rows:
                file = self._folder(name) / f"{step:09d}.parquet"
                part = file.with_suffix(".part")
                tables.write(part, tables.table_of(rows, TABLES[name][1]), TABLES[name][1])
                flush_file(part)
                part.replace(file)
                rows.clear()

    def cut(self, step: int) -> None:
        """Forget the rows after `step`, at which it was flushed."""
        for name, rows in self.new.items():
            rows.clear()
            for file in self._folder(name).glob("*.parquet") if self.writes else ():
                if int(file.stem) > step:
                    file.unlink()

    def roll_back(self, step: int) -> Rows:
        """Cut off all since `step`, at which it was flushed; return what was served since, which is passed over now.

        What was passed over before, and all events, stay: events at the step to which they lead back.
        """
        if not self.writes:
            return []
        served, skipped, events = (self._since(table, step) for table in ("served", "skipped", "events"))
        self.cut(step)
        self.new["skipped"] = skipped + served
        self.new["events"] = [{**row, "step": min(row["step"], step)} for row in events]
        return served

    def write(self, out: Path) -> None:
        """Write every table below `out` as one file; the same rows give the same bytes, wherever they were cut."""
        for name, (file, schema) in TABLES.items():
            stored = (tables.read(file, schema) for file in self._files(name))
            with tables.Writer(out / file, schema) as writer:
                for table in _regrouped(chain(stored, [tables.table_of(self.new[name], schema)]), schema):
                    writer.write(table)

    def _since(self, table: str, step: int) -> Rows:
        files = (f for f in self._files(table) if int(f.stem) > step)
        stored = [row for file in files for row in tables.read(file, TABLES[table][1]).to_pylist()]
        return [*stored, *self.new[table]]

    def _files(self, table: str) -> list[Path]:
        return sorted(self._folder(table).glob("*.parquet"))

    def _folder(self, table: str) -> Path:
        return self.scratch / FOLDER / table


def _regrouped(parts: Iterable[pa.Table], schema: pa.Schema, rows: int = 65_536) -> Iterator[pa.Table]:
    """Yield all rows of some tables in order, `rows` at a time."""
    rest = schema.empty_table()
    for part in parts:
        rest = pa.concat_tables([rest, part])
        while rest.num_rows >= rows:
            yield rest.slice(0, rows).combine_chunks()
            rest = rest.slice(rows)
    if rest.num_rows:
        yield rest.combine_chunks()
