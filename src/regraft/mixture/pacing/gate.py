"""Whether a stream stays in its bucket of difficulty or goes on to the next one, told from held-out loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from regraft.core import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketLoss:
    """Held-out loss of the bucket that a stream is in."""

    loss: float
    """Nats a token, of held-out documents as hard as those of the bucket."""
    served: int
    """Sequences of the bucket that were served until it was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What a gate says."""

    advance: bool
    reason: str


class Gate(Protocol):
    """Decides for each stream of some sources by itself; a frozen dataclass of its thresholds."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources whose streams are gated; the others are paced by clock."""
        ...

    @property
    def num_buckets(self) -> int:
        """Buckets of equally many documents that a stream is divided into."""
        ...

    def decide(self, seen: Sequence[BucketLoss]) -> Pace:
        """Return whether the stream goes on, from all that was measured of its bucket, first to last."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedByLoss:
    """Goes on once the held-out loss of the bucket has stopped falling.

    It has when the last `patience` measurements brought no loss that is `min_improvement` below the best one before
    them. A measurement counts when `min_sequences` more of the bucket were served since the last that counted, so that
    a stream that is hardly served is not taken for one that has stopped learning.

    Source: to raise difficulty on feedback rather than by a fixed clock is the idea of arXiv:2303.11183 (paper_facts
    5.8), there for tasks and adversarially. Every number here is not in the paper.
    """

    sources: tuple[str, ...]
    num_buckets: int = 10
    patience: int = 2
    """Measurements."""
    min_improvement: float = 0.01
    """Nats a token."""
    min_sequences: int = 1

    def __post_init__(self) -> None:
        if not self.sources:
            raise ConfigError("GatedByLoss names no sources: nothing would be gated. Name at least one.")
        if self.num_buckets < 2:
            raise ConfigError(f"num_buckets is {self.num_buckets}; a gate stands between at least 2.")
        if min(self.patience, self.min_sequences) < 1 or not self.min_improvement >= 0:
            raise ConfigError(
                f"patience {self.patience} and min_sequences {self.min_sequences} must be positive, min_improvement "
                f"{self.min_improvement} not negative."
            )

    def decide(self, seen: Sequence[BucketLoss]) -> Pace:
        """Return whether the loss of the bucket has stopped falling."""
        losses = self._counted(seen)
        if not losses:
            return Pace(advance=False, reason="nothing measured yet")
        best, since = losses[0], 0
        for loss in losses[1:]:
            best, since = (loss, 0) if best - loss > self.min_improvement else (best, since + 1)
        if since < self.patience:
            return Pace(advance=False, reason=f"{since} of {self.patience} measurements without improvement")
        return Pace(
            advance=True,
            reason=f"held-out loss {losses[-1]:.4f} nats a token after {best:.4f}: no fall of more than "
            f"{self.min_improvement} in {since} measurements",
        )

    def _counted(self, seen: Sequence[BucketLoss]) -> list[float]:
        losses: list[float] = []
        served = 0
        for one in seen:
            if not losses or one.served - served >= self.min_sequences:
                losses.append(one.loss)
                served = one.served
        return losses
