"""What a training notes of itself: its processor time after each step, and each step's loss. For all sides alike."""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Marks:
    """Figures of one training; `cpu[i]` is the processor time of the whole process after step `i + 1`."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def step_ends(self) -> None:
        """Note that a step is over, with all that its loop does for it."""
        self.cpu.append(time.process_time())
        self.wall.append(time.perf_counter())

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        path.write_text(json.dumps(asdict(self)) + "\n", "utf-8")
