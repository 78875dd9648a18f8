"""When a training does not go on as it is: steps without a finite gradient, and losses that jump."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from regraft.core import ConfigError

NORMAL_MAD = 1.4826
"""Median absolute deviation of a normal distribution -> its standard deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spikes:
    """A jump of the training loss, and what becomes of it: back to an anchor, and past the data that led there.

    The loss of a step is a spike when it lies above the median of the `window` steps before it by `deviations` robust
    standard deviations and by `nats`. After `patience` spikes on end the training loads its last anchor, a checkpoint
    at a step that does not depend on the clock, passes over all sequences that it had served since, and goes on.

    Source: going back some steps and passing over the data is how PaLM was trained (2204.02311, section 5.1, by hand);
    thresholds are not in the paper.
    """

    window: int = 64
    deviations: float = 6.0
    nats: float = 1.0
    patience: int = 3
    anchor_steps: int = 500
    """Steps between anchors; the first is when the window is full."""
    max_rollbacks: int = 3
    """A training that would roll back once more ends with an error."""

    def __post_init__(self) -> None:
        least = {"window": 4, "patience": 1, "anchor_steps": 1, "max_rollbacks": 1}
        for name, at_least in least.items():
            if getattr(self, name) < at_least:
                raise ConfigError(f"spikes: {name} is {getattr(self, name)}; give at least {at_least}.")
        if self.deviations <= 0 or self.nats <= 0:
            raise ConfigError(f"spikes: deviations is {self.deviations} and nats {self.nats}; both must be positive.")

    def is_anchor(self, step: int) -> bool:
        """Say whether a checkpoint is written after `step` to roll back to."""
        return step >= self.window and (step - self.window) % self.anchor_steps == 0

    def threshold(self, losses: Sequence[float]) -> float:
        """Return the loss above which a step is a spike, given those before it; infinite while they are too few."""
        if len(losses) < self.window:
            return math.inf
        last = losses[-self.window :]
        middle = median(last)
        spread = NORMAL_MAD * median(abs(loss - middle) for loss in last)
        return middle + max(self.nats, self.deviations * spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """What a training does about steps that went wrong. Not in the paper."""

    max_skipped: int = 5
    """A step whose loss or gradient is not finite changes nothing and is counted; after so many on end, an error."""
    spikes: Spikes | None = Spikes()
    """None: no training is rolled back."""

    def __post_init__(self) -> None:
        if self.max_skipped < 0:
            raise ConfigError(f"max_skipped is {self.max_skipped}; it cannot be negative.")


@dataclass(slots=True)
class Watch:
    """What the policy needs to know of the last steps."""

    safety: Safety
    losses: list[float] = field(default_factory=list[float])
    """Of the last steps that were no spike and finite, oldest first, at most a window."""
    spiking: int = 0
    """Spikes on end."""
    skipped: int = 0
    """Steps on end without a finite gradient."""
    rollbacks: int = 0

    def see(self, loss: float, finite: bool) -> bool:
        """Take in the step just made; return whether the training has to roll back."""
        self.skipped = 0 if finite else self.skipped + 1
        spikes = self.safety.spikes
        if not finite or spikes is None:
            return False
        if loss > spikes.threshold(self.losses):
            self.spiking += 1
            return self.spiking >= spikes.patience
        self.spiking = 0
        self.losses = [*self.losses, loss][-spikes.window :]
        return False

    def state(self) -> dict[str, object]:
        """Return its fields but the policy, as JSON data."""
        return {
            "losses": self.losses,
            "spiking": self.spiking,
            "skipped": self.skipped,
            "rollbacks": self.rollbacks,
        }
