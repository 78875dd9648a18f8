"""The pace of all streams of a training: which sequence each one serves, steered by the held-out loss of its bucket."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from regraft.core import ConfigError
from regraft.mixture.pacing import Gate, PacedStream, PaceEvent
from regraft.mixture.shares import StreamKey
from regraft.training.streams import PackedStream
from regraft.training.validation import MIN_DOCUMENTS, Measured, Validation

Events = list[tuple[StreamKey, PaceEvent]]
Buckets = tuple[tuple[int, ...], ...]
"""Numbers of the held-out documents of a stream that belong to each of its buckets."""


class Pacing:
    """Positions of the gated streams; all others serve their sequences in order."""

    def __init__(self, gate: Gate | None, streams: Mapping[StreamKey, PackedStream], validation: Validation) -> None:
        """Start at the first sequence of each stream.

        Raises:
            ConfigError: there is no stream to be gated, or held-out documents have no difficulty by the same measure.
        """
        self.gate = gate
        self.events: Events = []
        """What happened since they were last taken away."""
        self._paced: dict[StreamKey, PacedStream] = {}
        self._held_out: dict[StreamKey, Buckets] = {}
        for key, stream in streams.items():
            if gate and key.source in gate.sources:
                self._add(key, stream, validation)
        if gate and not self._paced:
            why = [f"{key}: {event.detail}" for key, event in self.events] or "there are none"
            raise ConfigError(f"No stream of {gate.sources} can be paced by held-out loss: {why}.")

    def place(self, served: Sequence[tuple[StreamKey, int]]) -> list[tuple[StreamKey, int]]:
        """Return the stream and sequence that are served where the sampler says that a stream serves its n-th one."""
        return [(key, self._next(key) if key in self._paced else number) for key, number in served]

    def observe(self, measured: Mapping[StreamKey, Measured]) -> None:
        """Let each gated stream go on to its next bucket, or stay, by its held-out loss."""
        for key, stream in self._paced.items():
            assert self.gate
            losses = [_per_token(measured[key], members) for members in self._held_out[key]]
            self.events += [(key, event) for event in stream.observe(losses, self.gate)]

    def state(self) -> dict[str, Any]:
        """Return all positions as plain JSON data."""
        return {str(key): stream.state() for key, stream in self._paced.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken; what happened before was told then."""
        self._paced = {key: PacedStream.restore(s.sizes, state[str(key)]) for key, s in self._paced.items()}
        self.events = []

    def _next(self, key: StreamKey) -> int:
        number, events = self._paced[key].next()
        self.events += [(key, event) for event in events]
        return number

    def _add(self, key: StreamKey, stream: PackedStream, validation: Validation) -> None:
        buckets = _held_out_buckets(key, stream, validation)
        few = [str(number) for number, members in enumerate(buckets, start=1) if len(members) < MIN_DOCUMENTS]
        if not buckets or few:
            why = f"bucket {', '.join(few)} has fewer than {MIN_DOCUMENTS} held-out documents"
            why = why if few else "it has fewer documents with a difficulty than buckets"
            self.events.append((key, PaceEvent(what="not_gated", detail=f"paced by clock: {why}")))
            return
        self._paced[key], self._held_out[key] = PacedStream(stream.bucket_sizes), buckets


def _held_out_buckets(key: StreamKey, stream: PackedStream, validation: Validation) -> Buckets:
    """Return the held-out documents of each bucket, nothing when the stream has no buckets."""
    if validation.difficulty_measure != stream.measure:
        raise ConfigError(
            f"{key} is paced by held-out loss and its difficulty is {stream.measure!r}, that of the held-out documents "
            f"{validation.difficulty_measure or 'missing'!r}. Score both alike and tokenize with it."
        )
    if not stream.levels:
        return ()
    buckets: list[list[int]] = [[] for _ in stream.levels.starts]
    for number, value in enumerate(validation.difficulty.get(key, ())):
        if not math.isnan(value):
            buckets[stream.levels.bucket_of(value)].append(number)
    return tuple(map(tuple, buckets))


def _per_token(measured: Measured, members: Sequence[int]) -> float:
    return math.fsum(measured.losses[i] for i in members) / sum(measured.lengths[i] for i in members)
