"""What happened in a training, row by row: saved with each checkpoint, written out at the end."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regraft.corpus import tables

_TABLES = {
    "steps": (tables.STEPS_FILE, tables.STEPS),
    "served": (tables.SERVED_FILE, tables.SERVED),
    "shares": (tables.SHARES_FILE, tables.SHARES),
    "held_out": (tables.HELD_OUT_FILE, tables.HELD_OUT),
    "events": (tables.EVENTS_FILE, tables.EVENTS),
    "times": (tables.STEP_TIMES_FILE, tables.STEP_TIMES),
}

Rows = list[dict[str, Any]]


@dataclass(slots=True)
class Ledger:
    """The tables of a training so far."""

    steps: Rows = field(default_factory=Rows)
    served: Rows = field(default_factory=Rows)
    shares: Rows = field(default_factory=Rows)
    held_out: Rows = field(default_factory=Rows)
    events: Rows = field(default_factory=Rows)
    times: Rows = field(default_factory=Rows)

    def write(self, folder: Path) -> None:
        """Write every table below `folder`."""
        for name, (file, schema) in _TABLES.items():
            tables.write(folder / file, tables.table_of(getattr(self, name), schema), schema)

    @staticmethod
    def read(folder: Path) -> "Ledger":
        """Read what `write` wrote."""
        rows = {name: tables.read(folder / file, schema).to_pylist() for name, (file, schema) in _TABLES.items()}
        return Ledger(**rows)
