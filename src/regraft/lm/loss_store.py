"""Scored batches on disk, so that a killed scoring continues where it was."""

import json
import os
from pathlib import Path


class LossStore:
    """Losses of finished batches by number, appended to a file of JSON lines. A line cut off by a crash is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        whole = path.read_bytes()
        os.truncate(path, whole.rfind(b"\n") + 1)
        self._losses: list[list[float]] = [
            json.loads(line) for line in whole.splitlines(keepends=True) if b"\n" in line
        ]

    def get(self, batch: int) -> list[float] | None:
        """Return the losses of a finished batch, bit for bit as they were put; None when it is not finished."""
        return self._losses[batch] if batch < len(self._losses) else None

    def put(self, batch: int, losses: list[float]) -> None:
        """Keep the losses of the batch that follows those put before."""
        assert batch == len(self._losses), f"batch {batch} put after {len(self._losses)} batches"
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(losses) + "\n")
        self._losses.append(losses)
