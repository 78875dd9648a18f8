"""Where the time of a training goes, and how much of what the machine can do is made of it.

A clock gives every second to one of a few parts; sums of its readings are all that a report needs. Readings are
measured, so they are kept under `timing/` and never among what a step makes.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal, Self

Part = Literal["data", "forward_backward", "optimizer", "evaluation", "checkpoint", "logging"]
MACHINE_FILE = "timing/machine.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Laps:
    """Seconds by what they were spent on; sums of laps are laps."""

    data: float = 0.0
    """Waiting for the batch: order, documents, tensors."""
    forward_backward: float = 0.0
    optimizer: float = 0.0
    """Clipping included."""
    evaluation: float = 0.0
    """Held-out loss, and decisions from it."""
    checkpoint: float = 0.0
    logging: float = 0.0
    """Tables, terminal and trackers."""

    @property
    def seconds(self) -> float:
        return sum(asdict(self).values())

    @property
    def training_seconds(self) -> float:
        """What a step takes, without evaluation, checkpoints and logging."""
        return self.data + self.forward_backward + self.optimizer

    def columns(self) -> dict[str, float]:
        """Return the columns of STEP_TIMES by name."""
        return {f"{name}_seconds": value for name, value in asdict(self).items()}

    @classmethod
    def total(cls, rows: Iterable[Mapping[str, float]]) -> Self:
        """Return the sum of rows of STEP_TIMES."""
        kept = list(rows)
        return cls(**{f.name: sum(row[f"{f.name}_seconds"] for row in kept) for f in fields(cls)})


@dataclass(slots=True)
class StepClock:
    """Gives the time since the last lap to a part; nothing between two laps is lost or counted twice."""

    now: Callable[[], float] = time.perf_counter
    _last: float = field(init=False)
    _seconds: dict[str, float] = field(init=False, default_factory=dict[str, float])

    def __post_init__(self) -> None:
        self._last = self.now()

    def lap(self, part: Part) -> None:
        """Count the time since the last lap, of whatever part, as `part`."""
        now = self.now()
        self._seconds[part] = self._seconds.get(part, 0.0) + now - self._last
        self._last = now

    def take(self) -> Laps:
        """Return the laps since this was last asked, and begin anew.

        A checkpoint that is saved after a step's row is written counts in the row of the next step.
        """
        laps, self._seconds = Laps(**self._seconds), {}
        return laps


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """On what a training ran, as far as its speed is judged by it."""

    device: str
    """As the driver names it; the platform's name for a CPU."""
    num_ranks: int
    peak_flops: float
    """Of one process, a second."""
    peak_source: str
    """Where that figure is from: published, or measured here."""
    flops_per_token: float
    """Of training: 6 N + 12 L a S, see `lm.architecture`."""
    peak_memory_bytes: int
    """Largest of one process: resident size on a CPU, allocated tensors on an accelerator."""

    def write(self, out: Path) -> None:
        """Write it below the folder of an artifact."""
        path = out / MACHINE_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1), "utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Speed and cost of some steps of a training."""

    laps: Laps
    tokens: int
    """Of all processes together."""
    machine: Machine

    @property
    def tokens_per_second(self) -> float:
        """While it trains: evaluation, checkpoints and logging left out."""
        return self.tokens / self.laps.training_seconds if self.tokens else 0.0

    @property
    def tokens_per_second_overall(self) -> float:
        return self.tokens / self.laps.seconds if self.tokens else 0.0

    @property
    def model_flops(self) -> float:
        """A second, of all processes together, while it trains."""
        return self.tokens_per_second * self.machine.flops_per_token

    @property
    def mfu(self) -> float:
        """Model FLOP utilisation: of the operations that the model needs, not those that were done.

        Source: Chowdhery et al. 2204.02311 (PaLM), appendix B.
        """
        return self.model_flops / (self.machine.num_ranks * self.machine.peak_flops)

    @property
    def accelerator_hours(self) -> float:
        return self.laps.seconds * self.machine.num_ranks / 3600

    def share(self, part: Part) -> float:
        """Return the share of all time that went to one part."""
        seconds = self.laps.seconds
        return getattr(self.laps, part) / seconds if seconds else 0.0

    def figures(self) -> dict[str, float]:
        """Return what trackers and the terminal are told."""
        return {
            "throughput/tokens_per_second": self.tokens_per_second,
            "throughput/model_tflops": self.model_flops / 1e12,
            "throughput/mfu": self.mfu,
            "throughput/accelerator_hours": self.accelerator_hours,
            "time/data_wait_share": self.share("data"),
            "time/evaluation_share": self.share("evaluation"),
            "time/checkpoint_share": self.share("checkpoint"),
            "time/logging_share": self.share("logging"),
        }
