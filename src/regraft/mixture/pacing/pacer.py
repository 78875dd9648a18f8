"""Which sequence of a stream is served next, when the stream may leave a bucket before all of it was served.

The sampler says that a stream serves; this says which of its sequences. What is left behind in a bucket stays in line
and is served when all buckets are through, so that an epoch has each sequence once, whatever was decided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from regraft.mixture.pacing.gate import BucketLoss, Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceEvent:
    """What happened to the pace of a stream."""

    what: str
    """`advanced`, `bucket_ended`, or `returned`: to what was left behind."""
    detail: str


class PacedStream:
    """Position of one stream: its bucket, and how many sequences of each bucket were served in this epoch."""

    def __init__(self, sizes: Sequence[int]) -> None:
        """Start at the first sequence.

        Args:
            sizes: sequences of each bucket, in order; some may be empty, not all.
        """
        self.sizes = tuple(sizes)
        self._begin()

    def _begin(self) -> None:
        self.bucket = 0
        """The one that is served now; beyond the last one while what was left behind is served."""
        self.taken = [0] * len(self.sizes)
        self.seen: list[BucketLoss] = []
        """Held-out losses of the bucket."""

    @property
    def gated(self) -> bool:
        """Whether there is a bucket to go on to."""
        return self.bucket < len(self.sizes) - 1

    def next(self) -> tuple[int, list[PaceEvent]]:
        """Return the number of the sequence that is served, and what that led to; after the last an epoch begins."""
        if self.taken == list(self.sizes):
            self._begin()
        events = self._leave_ended()
        bucket = self.bucket if self.bucket < len(self.sizes) else self._left_behind()
        number = sum(self.sizes[:bucket]) + self.taken[bucket]
        self.taken[bucket] += 1
        return number, events

    def observe(self, losses: Sequence[float], gate: Gate) -> list[PaceEvent]:
        """Take note of the held-out loss of every bucket; leave the one that is served when the gate says so."""
        if not self.gated:
            return []
        self.seen.append(BucketLoss(loss=losses[self.bucket], served=self.taken[self.bucket]))
        pace = gate.decide(self.seen)
        if not pace.advance:
            return []
        left = self.sizes[self.bucket] - self.taken[self.bucket]
        detail = f"from {self._name()}, {left} of its sequences left for later: {pace.reason}"
        self._advance()
        self.seen.append(BucketLoss(loss=losses[self.bucket], served=self.taken[self.bucket]))
        return [PaceEvent(what="advanced", detail=detail)]

    def state(self) -> dict[str, Any]:
        """Return the position as plain JSON data."""
        return {"bucket": self.bucket, "taken": self.taken[:], "seen": [asdict(one) for one in self.seen]}

    @classmethod
    def restore(cls, sizes: Sequence[int], state: Mapping[str, Any]) -> "PacedStream":
        """Return a stream that goes on where `state` was taken."""
        stream = cls(sizes)
        stream.bucket, stream.taken = state["bucket"], list(state["taken"])
        stream.seen = [BucketLoss(**one) for one in state["seen"]]
        return stream

    def _leave_ended(self) -> list[PaceEvent]:
        events: list[PaceEvent] = []
        while self.bucket < len(self.sizes) and self.taken[self.bucket] == self.sizes[self.bucket]:
            if self.gated:
                how = "is served to its end" if self.sizes[self.bucket] else "has no sequences"
                events.append(PaceEvent(what="bucket_ended", detail=f"{self._name()} {how}"))
            self._advance()
            if self.bucket == len(self.sizes):
                left = sum(self.sizes) - sum(self.taken)
                events.append(PaceEvent(what="returned", detail=f"to {left} sequences that were left for later"))
        return events

    def _advance(self) -> None:
        self.bucket += 1
        self.seen = []

    def _left_behind(self) -> int:
        return next(b for b, size in enumerate(self.sizes) if self.taken[b] < size)

    def _name(self) -> str:
        return f"bucket {self.bucket + 1} of {len(self.sizes)}"
