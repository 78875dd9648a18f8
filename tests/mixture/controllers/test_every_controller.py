"""What holds for every controller: shares are a distribution within bounds, whatever the order of the topics."""

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.mixture.controllers import (
    Bounds,
    Controller,
    ExcessLoss,
    Fixed,
    OnlineMixing,
    TopicLoss,
    TopicPerplexity,
    Velocity,
)
from tests.mixture.controllers.conftest import observe

NAMES = tuple(f"t{i}" for i in range(12))
TARGETS = {name: 1.0 + i / 10 for i, name in enumerate(NAMES)}


def every(bounds: Bounds) -> dict[str, Controller]:
    return {
        "perplexity": TopicPerplexity(step_size=0.9, bounds=bounds),
        "raw perplexity": TopicPerplexity(step_size=0.9, measure="perplexity", normaliser="zscore", bounds=bounds),
        "velocity": Velocity(targets=TARGETS, step_size=3.0, bounds=bounds),
        "excess": ExcessLoss(references=TARGETS, step_size=3.0, bounds=bounds),
        "online": OnlineMixing(bounds=bounds),
    }


EVERY = tuple(every(Bounds()))
losses = st.floats(0, 8).map(lambda x: round(x, 3))


@st.composite
def observations(draw: st.DrawFn) -> list[TopicLoss]:
    """Draw topics with unequal shares, some of them unmeasured."""
    weights = draw(st.lists(st.floats(0.02, 1), min_size=2, max_size=len(NAMES)))
    whole = math.fsum(weights)
    round_ = draw(st.integers(1, 50))
    return [
        TopicLoss(
            topic=name,
            share=weight / whole,
            loss=draw(st.one_of(losses, losses, st.just(math.nan))),
            before=draw(st.one_of(losses, st.none())),
            initial=draw(st.one_of(losses, st.none())),
            error=draw(st.sampled_from((0.0, 0.0, 0.1, math.inf))),
            memory=draw(st.floats(0, 50)),
            round=round_,
        )
        for name, weight in zip(NAMES, weights, strict=False)
    ]


@pytest.mark.parametrize("name", EVERY)
@given(observed=observations(), low=st.floats(0, 1), high=st.floats(0.01, 1))
def test_shares_are_a_distribution_within_floor_and_cap(
    name: str, observed: list[TopicLoss], low: float, high: float
) -> None:
    n = len(observed)
    bounds = Bounds(floor=low / n, cap=1 / n + high * (1 - 1 / n))
    shares = every(bounds)[name].next_shares(observed).shares
    assert math.fsum(shares.values()) == pytest.approx(1, abs=1e-9)
    assert all(bounds.floor <= s <= bounds.cap for s in shares.values())


@pytest.mark.parametrize("name", EVERY)
@given(observed=observations(), most=st.floats(0.001, 0.3), floor=st.floats(0, 0.08))
def test_no_share_moves_further_than_is_allowed(
    name: str, observed: list[TopicLoss], most: float, floor: float
) -> None:
    free = every(Bounds(floor=floor))[name].next_shares(observed).shares
    shares = every(Bounds(floor=floor, max_change=most))[name].next_shares(observed).shares
    assert math.fsum(shares.values()) == pytest.approx(1, abs=1e-9)
    moves = {o.topic: shares[o.topic] - o.share for o in observed}
    wanted = {o.topic: free[o.topic] - o.share for o in observed}
    assert max(map(abs, moves.values())) <= most + 1e-12
    part = min(1.0, most / max(map(abs, wanted.values()), default=1.0) if any(wanted.values()) else 1.0)
    assert moves == pytest.approx({topic: part * move for topic, move in wanted.items()}, abs=1e-9)


@pytest.mark.parametrize("name", EVERY)
@given(observed=observations(), random=st.randoms())
def test_the_order_of_the_topics_does_not_matter(name: str, observed: list[TopicLoss], random: Random) -> None:
    controller = every(Bounds(floor=0.01, max_change=0.1))[name]
    mixed = random.sample(observed, len(observed))
    there, here = controller.next_shares(mixed), controller.next_shares(observed)
    assert there.shares == pytest.approx(here.shares, abs=1e-9)
    memories = {t.topic: t.memory for t in here.terms}
    assert {t.topic: t.memory for t in there.terms} == pytest.approx(memories)


@pytest.mark.parametrize("name", ["velocity", "excess", "online"])
@given(observed=observations())
def test_a_topic_of_which_nothing_is_known_keeps_its_share(name: str, observed: list[TopicLoss]) -> None:
    controller = every(Bounds())[name]
    if isinstance(controller, ExcessLoss):
        controller = replace(controller, smoothing=0.0)
    for term in controller.next_shares(observed).terms:
        if term.observed.unknown:
            assert term.share == pytest.approx(term.observed.share)
            assert term.reason.startswith(term.observed.unknown)


@pytest.mark.parametrize("name", EVERY)
def test_every_term_says_why(name: str) -> None:
    decision = every(Bounds(floor=0.05, cap=0.6))[name].next_shares(observe([0.5, -0.5, 0.01, 0.2]))
    for term in decision.terms:
        said = "more" if term.share > term.observed.share else "less" if term.share < term.observed.share else "as much"
        assert f"{said} of it" in term.reason
        assert ("held at" in term.reason) == (term.share in (0.05, 0.6))


def test_fixed_keeps_the_shares() -> None:
    decision = Fixed().next_shares(observe([0.3, -0.1], shares=[0.7, 0.3]))
    assert decision.shares == {"t0": 0.7, "t1": 0.3}
    assert {t.reason for t in decision.terms} == {"fixed"}


def test_floor_and_cap_hold_and_say_so() -> None:
    rule = TopicPerplexity(step_size=0.9, bounds=Bounds(floor=0.05, cap=0.5))
    decision = rule.next_shares(observe([1, -1, -1, 1], shares=[0.6, 0.06, 0.14, 0.2]))
    shares = list(decision.shares.values())
    assert shares[:2] == [0.5, 0.05]
    assert sum(shares) == pytest.approx(1)
    assert decision.terms[0].reason == "worse, but others more so: less of it, held at 0.5"
    assert decision.terms[1].reason == "better, less of it, held at 0.05"


def test_three_percent_at_once() -> None:
    decision = TopicPerplexity(bounds=Bounds(max_change=0.03)).next_shares(observe([1, -1], shares=[0.4, 0.6]))
    assert list(decision.shares.values()) == pytest.approx([0.43, 0.57])
    assert decision.terms[0].reason == "worse, more of it, at most 0.03 at once"


def test_a_share_below_the_floor_gets_there_over_several_decisions() -> None:
    rule, shares = TopicPerplexity(bounds=Bounds(floor=0.2, max_change=0.06)), [0.02, 0.98]
    for expected in (0.08, 0.14, 0.2, 0.2):
        shares = list(rule.next_shares(observe([0.0, 0.0], shares=shares)).shares.values())
        assert shares[0] == pytest.approx(expected)


@pytest.mark.parametrize("bounds", [Bounds(floor=0.4), Bounds(cap=0.3)])
def test_bounds_that_no_shares_keep_are_refused(bounds: Bounds) -> None:
    with pytest.raises(ConfigError, match="3 topics cannot have shares between"):
        TopicPerplexity(bounds=bounds).next_shares(observe([0.1, 0.2, 0.3]))


@pytest.mark.parametrize("fields", [{"floor": 0.6, "cap": 0.5}, {"max_change": 0.0}, {"cap": 1.1}])
def test_bounds_that_make_no_sense_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Bounds(**fields)
