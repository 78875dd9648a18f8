import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.mixture.curriculum import Ascending, Buckets, Descending, Shuffled
from regraft.mixture.pacing import BucketLoss, Gate, GatedByLoss, Pace, PacedStream, levels_of


@dataclass(frozen=True, slots=True)
class Always:
    advance: bool
    sources: tuple[str, ...] = ("web",)
    num_buckets: int = 2

    def decide(self, seen: Sequence[BucketLoss]) -> Pace:
        return Pace(advance=self.advance, reason="so")


def seen(*losses: float, step: int = 1) -> list[BucketLoss]:
    return [BucketLoss(loss=loss, served=i * step) for i, loss in enumerate(losses)]


def test_the_gate_opens_when_the_loss_has_stopped_falling() -> None:
    gate = GatedByLoss(sources=("web",), patience=2, min_improvement=0.1)
    assert not gate.decide([]).advance
    assert not gate.decide(seen(3.0, 2.5, 2.0, 1.5)).advance
    assert not gate.decide(seen(3.0, 2.5, 2.45)).advance
    stalled = gate.decide(seen(3.0, 2.5, 2.45, 2.41))
    assert stalled.advance
    assert (
        stalled.reason == "held-out loss 2.4100 nats a token after 2.5000: no fall of more than 0.1 in 2 measurements"
    )
    assert not gate.decide(seen(3.0, 2.5, 2.45, 2.3)).advance, "slow steps add up"
    assert not gate.decide(seen(3.0, 3.0, 3.0, step=0)).advance, "nothing was served"
    patient = GatedByLoss(sources=("web",), patience=1, min_sequences=4)
    assert not patient.decide(seen(3.0, 3.0, 3.0, 3.0)).advance
    assert patient.decide(seen(3.0, 3.0, step=4)).advance


@pytest.mark.parametrize("wrong", [{"sources": ()}, {"num_buckets": 1}, {"patience": 0}, {"min_improvement": math.nan}])
def test_a_gate_that_cannot_work_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        GatedByLoss(**{"sources": ("web",), **wrong})  # pyright: ignore[reportArgumentType]


SIZES = st.lists(st.integers(0, 4), min_size=1, max_size=5).filter(any)


@given(SIZES, st.lists(st.sampled_from(["serve", "stay", "advance"]), max_size=60))
def test_an_epoch_has_each_sequence_once_and_a_bucket_is_in_order(sizes: list[int], actions: list[str]) -> None:
    stream, twin = PacedStream(sizes), PacedStream(sizes)
    served: list[int] = []
    for action in [*actions, *["serve"] * (2 * sum(sizes))]:
        if action == "serve":
            number, events = stream.next()
            assert twin.next() == (number, events), "goes on from its state"
            served.append(number)
        else:
            gate: Gate = Always(action == "advance")
            assert twin.observe([1.0] * len(sizes), gate) == stream.observe([1.0] * len(sizes), gate)
        twin = PacedStream.restore(sizes, json.loads(json.dumps(stream.state())))
    size = sum(sizes)
    for start in range(0, len(served) - size + 1, size):
        epoch = served[start : start + size]
        assert sorted(epoch) == list(range(size))
        for bucket, count in enumerate(sizes):
            first = sum(sizes[:bucket])
            assert [n for n in epoch if first <= n < first + count] == list(range(first, first + count))


def test_what_is_left_behind_is_served_at_the_end_and_said() -> None:
    stream = PacedStream([3, 2])
    assert stream.next() == (0, [])
    (event,) = stream.observe([1.0, 2.0], Always(advance=True))
    assert (event.what, event.detail) == ("advanced", "from bucket 1 of 2, 2 of its sequences left for later: so")
    assert [stream.next()[0] for _ in range(2)] == [3, 4]
    number, events = stream.next()
    assert (number, [(e.what, e.detail) for e in events]) == (
        1,
        [("returned", "to 2 sequences that were left for later")],
    )
    assert stream.observe([1.0, 2.0], Always(advance=True)) == [], "there is nowhere to go on to"


def test_a_bucket_that_ends_is_said() -> None:
    stream = PacedStream([1, 2])
    stream.next()
    number, events = stream.next()
    assert (number, [e.what for e in events]) == (1, ["bucket_ended"])
    number, events = PacedStream([0, 2]).next()
    assert (number, [e.detail for e in events]) == (0, ["bucket 1 of 2 has no sequences"])


@given(st.lists(st.integers(0, 9), min_size=4, max_size=30), st.integers(2, 4), st.booleans())
def test_a_document_of_the_stream_belongs_to_its_own_bucket(values: list[int], num_buckets: int, falls: bool) -> None:
    order = Descending() if falls else Ascending()
    given_ = [float(value) for value in values]
    ordered = [given_[i] for i in order.order(given_, [str(i) for i in range(len(values))])]
    levels = levels_of([*ordered, math.nan], num_buckets)
    assert levels
    for bucket, (a, b) in enumerate(zip(levels.starts, [*levels.starts[1:], len(ordered)], strict=True)):
        for value in ordered[a:b]:
            assert levels.bucket_of(value) <= bucket, "ties at a border belong to the lower bucket"
            assert levels.bucket_of(value) == bucket or value in ordered[:a]


def test_levels_ask_for_an_order() -> None:
    values, ids = [float(i) for i in range(40)], [f"d{i}" for i in range(40)]
    mixed = [values[i] for i in Buckets(num_buckets=4).order(values, ids)]
    levels = levels_of(mixed, 2)
    assert levels
    assert levels.starts == (0, 20)
    assert levels_of(mixed[:1], 2) is None
    with pytest.raises(ConfigError, match="do not stand in 8 buckets"):
        levels_of(mixed, 8)
    with pytest.raises(ConfigError, match="Tokenize it in the order"):
        levels_of([values[i] for i in Shuffled().order(values, ids)], 2)


def test_a_document_without_difficulty_among_the_others_is_refused() -> None:
    """The last of them would be in no bucket that anything is known of."""
    with pytest.raises(ConfigError, match="do not stand in 2 buckets"):
        levels_of([1.0, math.nan, 2.0, 3.0, 0.1], 2)
