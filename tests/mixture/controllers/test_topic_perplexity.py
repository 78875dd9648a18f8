import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.mixture.controllers import Fixed, TopicLoss, TopicPerplexity, normalise
from regraft.mixture.projection import project

NORMALISERS = ("max_abs", "sum_abs", "zscore")
any_changes = st.lists(st.floats(-1, 1).map(lambda x: round(x, 4)), min_size=2, max_size=12)


def observe(
    changes: Sequence[float], shares: Sequence[float] | None = None, errors: Sequence[float] | None = None
) -> list[TopicLoss]:
    n = len(changes)
    return [
        TopicLoss(
            topic=f"t{i}",
            share=shares[i] if shares else 1 / n,
            loss=1.5 + change,
            before=1.5,
            error=errors[i] if errors else 0.0,
        )
        for i, change in enumerate(changes)
    ]


def test_the_worked_example_of_the_paper_facts() -> None:
    terms = TopicPerplexity(step_size=0.5).next_shares(observe([0.06, -0.37, 0.06])).terms
    assert [round(t.delta, 3) for t in terms] == [0.162, -1.0, 0.162]
    assert [round(t.factor, 3) for t in terms] == [1.081, 0.5, 1.081]
    assert [round(t.share, 4) for t in terms] == [0.4061, 0.1878, 0.4061]


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_the_directions_of_figure_1(normaliser: Literal["max_abs", "sum_abs", "zscore"]) -> None:
    figure = (("a", 1.26, 1.32), ("b", 1.82, 1.45), ("c", 1.54, 1.60))
    observed = [TopicLoss(topic=name, share=1 / 3, loss=now, before=before) for name, before, now in figure]
    up, down, up_too = TopicPerplexity(normaliser=normaliser).next_shares(observed).shares.values()
    assert up > 1 / 3 > down
    assert up_too > 1 / 3


@pytest.mark.parametrize("normaliser", NORMALISERS)
@given(changes=any_changes, scale=st.floats(0.1, 10))
def test_the_unit_of_the_loss_does_not_matter(
    normaliser: Literal["max_abs", "sum_abs", "zscore"], changes: list[float], scale: float
) -> None:
    assert normalise([c * scale for c in changes], normaliser) == pytest.approx(
        normalise(changes, normaliser), abs=1e-6
    )


@pytest.mark.parametrize("normaliser", NORMALISERS)
@given(changes=any_changes, random=st.randoms())
def test_the_order_of_the_topics_does_not_matter(
    normaliser: Literal["max_abs", "sum_abs", "zscore"], changes: list[float], random: Random
) -> None:
    observed = observe(changes)
    mixed = random.sample(observed, len(observed))
    rule = TopicPerplexity(normaliser=normaliser)
    assert rule.next_shares(mixed).shares == pytest.approx(rule.next_shares(observed).shares)


@pytest.mark.parametrize("normaliser", NORMALISERS)
@given(change=st.floats(-1, 1), count=st.integers(2, 12))
def test_what_changes_all_topics_alike_moves_no_share(
    normaliser: Literal["max_abs", "sum_abs", "zscore"], change: float, count: int
) -> None:
    decision = TopicPerplexity(normaliser=normaliser).next_shares(observe([change] * count))
    assert list(decision.shares.values()) == pytest.approx([1 / count] * count)


@given(changes=any_changes, step=st.floats(0, 0.99))
def test_the_worse_a_topic_became_the_larger_its_share(changes: list[float], step: float) -> None:
    shares = list(TopicPerplexity(step_size=step).next_shares(observe(changes)).shares.values())
    assert math.fsum(shares) == pytest.approx(1)
    ranked = sorted(range(len(changes)), key=lambda i: changes[i])
    assert all(shares[a] <= shares[b] + 1e-12 for a, b in pairwise(ranked))


def test_a_change_within_noise_counts_as_none() -> None:
    rule = TopicPerplexity(noise_gate=2.0)
    still = rule.next_shares(observe([0.05, -0.03], errors=[0.03, 0.02]))
    assert list(still.shares.values()) == [0.5, 0.5]
    assert still.terms[0].reason == "within noise: 0.0500 is less than 2 x 0.0300"
    assert still.terms[0].change == pytest.approx(0.05)
    moved = rule.next_shares(observe([0.05, -0.03], errors=[0.02, 0.02]))
    assert [t.delta for t in moved.terms] == pytest.approx([1.0, 0.0])


def test_a_gated_topic_stays_where_it_is_under_zscore() -> None:
    decision = TopicPerplexity(normaliser="zscore").next_shares(observe([0.5, 0.4, 0.01], errors=[0.1, 0.1, 0.1]))
    assert decision.terms[2].factor == 1


def test_a_topic_without_an_earlier_loss_is_not_moved() -> None:
    observed = [TopicLoss(topic="a", share=0.5, loss=2.0, before=None), *observe([0.1], [0.5])]
    terms = TopicPerplexity().next_shares(observed).terms
    assert (terms[0].factor, terms[0].reason) == (1.0, "no loss to compare with")
    assert terms[1].factor == 1.5


def test_perplexity_as_measure_weighs_topics_of_high_perplexity() -> None:
    easy = TopicLoss(topic="easy", share=0.5, loss=1.1, before=1.0)
    hard = TopicLoss(topic="hard", share=0.5, loss=4.1, before=4.0)
    assert TopicPerplexity(measure="perplexity").next_shares([easy, hard]).shares["hard"] > 0.55
    assert TopicPerplexity(measure="loss").next_shares([easy, hard]).shares["hard"] == pytest.approx(0.5)


def test_weights_scale_the_step_of_a_topic() -> None:
    decision = TopicPerplexity(step_size=0.25, weights={"t0": 2.0, "t1": 0.0}).next_shares(observe([0.1, 0.1, 0.1]))
    assert [t.factor for t in decision.terms] == [1.5, 1.0, 1.25]
    with pytest.raises(ConfigError, match="'t9'"):
        TopicPerplexity(weights={"t9": 1.0}).next_shares(observe([0.1, 0.1]))


def test_floor_and_cap_hold_and_say_so() -> None:
    rule = TopicPerplexity(step_size=0.9, floor=0.05, cap=0.5)
    decision = rule.next_shares(observe([1, -1, -1, 1], shares=[0.6, 0.06, 0.14, 0.2]))
    shares = list(decision.shares.values())
    assert shares[:2] == [0.5, 0.05]
    assert sum(shares) == pytest.approx(1)
    assert decision.terms[1].reason == "better, less of it, held at 0.05"


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20).filter(lambda w: sum(w) > 1e-6), st.floats(0, 1), st.floats(0, 1)
)
def test_projection_gives_a_distribution_within_the_bounds(weights: list[float], low: float, high: float) -> None:
    n = len(weights)
    floor, cap = low / n, 1 / n + high * (1 - 1 / n)
    assume(sum(cap if w > 0 else floor for w in weights) >= 1)
    shares = project(weights, floor, cap)
    assert math.fsum(shares) == pytest.approx(1, abs=1e-9)
    assert all(floor <= s <= cap for s in shares)
    free = [(w, s) for w, s in zip(weights, shares, strict=True) if floor < s < cap and w > 1e-9]
    assert all(a[1] * b[0] == pytest.approx(b[1] * a[0]) for a, b in pairwise(free))


@pytest.mark.parametrize(("floor", "cap"), [(0.4, 1.0), (0.0, 0.3)])
def test_bounds_that_no_distribution_keeps_are_refused(floor: float, cap: float) -> None:
    with pytest.raises(ConfigError, match="3 topics cannot have shares"):
        TopicPerplexity(floor=floor, cap=cap).next_shares(observe([0.1, 0.2, 0.3]))


@pytest.mark.parametrize(
    "fields", [{"step_size": 1.0}, {"step_size": 0.6, "weights": {"a": 2.0}}, {"floor": 0.6, "cap": 0.5}]
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TopicPerplexity(**fields)


def test_fixed_keeps_the_shares() -> None:
    decision = Fixed().next_shares(observe([0.3, -0.1], shares=[0.7, 0.3]))
    assert decision.shares == {"t0": 0.7, "t1": 0.3}
    assert {t.reason for t in decision.terms} == {"fixed"}


def test_the_reason_says_what_became_of_the_share() -> None:
    """Under one common rule a topic that got better may still get more, since others got better still."""
    terms = TopicPerplexity().next_shares(observe([-1, -0.2])).terms
    assert [term.reason for term in terms] == ["better, less of it", "better, but others more so: more of it"]
    assert terms[1].share > 0.5


def test_a_topic_of_too_few_documents_is_not_moved() -> None:
    seen = [
        TopicLoss(topic="a", share=0.5, loss=2.0, before=3.0, error=math.inf),
        TopicLoss(topic="b", share=0.5, loss=math.nan, before=3.0),
    ]
    decision = TopicPerplexity().next_shares(seen)
    assert [t.reason for t in decision.terms] == ["too few held-out documents to tell", "no loss to compare with"]
    assert decision.shares == {"a": 0.5, "b": 0.5}
