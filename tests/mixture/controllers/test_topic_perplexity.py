import math
from itertools import pairwise
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.mixture.controllers import Bounds, TopicLoss, TopicPerplexity, normalise
from tests.mixture.controllers.conftest import observe

NORMALISERS = ("max_abs", "sum_abs", "zscore")
any_changes = st.lists(st.floats(-1, 1).map(lambda x: round(x, 4)), min_size=2, max_size=12)


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


@given(changes=any_changes, scale=st.floats(0.05, 20))
def test_multiplying_all_changes_by_a_constant_changes_no_share(changes: list[float], scale: float) -> None:
    rule = TopicPerplexity(bounds=Bounds(floor=0.01, cap=0.7, max_change=0.05))
    scaled = rule.next_shares(observe([c * scale for c in changes], before=0.0)).shares
    assert scaled == pytest.approx(rule.next_shares(observe(changes, before=0.0)).shares, abs=1e-9)


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
    assert still.terms[0].reason == "within noise (0.0500 is less than 2 x 0.0300), as much of it"
    assert still.terms[0].change == pytest.approx(0.05)
    moved = rule.next_shares(observe([0.05, -0.03], errors=[0.02, 0.02]))
    assert [t.delta for t in moved.terms] == pytest.approx([1.0, 0.0])


def test_a_gated_topic_stays_where_it_is_under_zscore() -> None:
    decision = TopicPerplexity(normaliser="zscore").next_shares(observe([0.5, 0.4, 0.01], errors=[0.1, 0.1, 0.1]))
    assert decision.terms[2].factor == 1


@pytest.mark.parametrize("normaliser", NORMALISERS)
@given(changes=any_changes, count=st.integers(1, 3))
def test_topics_that_were_not_measured_weigh_nothing_in_the_others(
    normaliser: Literal["max_abs", "sum_abs", "zscore"], changes: list[float], count: int
) -> None:
    rule = TopicPerplexity(normaliser=normaliser, noise_gate=0.0)
    alone = [t.delta for t in rule.next_shares(observe(changes)).terms]
    beside = [t.delta for t in rule.next_shares(observe([*changes, *[math.nan] * count])).terms]
    assert beside == [*alone, *[0.0] * count]


def test_a_topic_without_an_earlier_loss_is_not_moved() -> None:
    observed = [TopicLoss(topic="a", share=0.5, loss=2.0, before=None), *observe([0.1], [0.5])]
    terms = TopicPerplexity().next_shares(observed).terms
    assert (terms[0].factor, terms[0].reason) == (1.0, "no loss to compare with, less of it")
    assert terms[1].factor == 1.5


def test_perplexity_as_measure_weighs_topics_of_high_perplexity() -> None:
    easy = TopicLoss(topic="easy", share=0.5, loss=1.1, before=1.0)
    hard = TopicLoss(topic="hard", share=0.5, loss=4.1, before=4.0)
    assert TopicPerplexity(measure="perplexity").next_shares([easy, hard]).shares["hard"] > 0.55
    assert TopicPerplexity(measure="loss").next_shares([easy, hard]).shares["hard"] == pytest.approx(0.5)


def test_weights_scale_the_step_of_a_topic() -> None:
    decision = TopicPerplexity(step_size=0.25, weights={"t0": 2.0, "t1": 0.0}).next_shares(observe([0.1, 0.1, 0.1]))
    assert [t.factor for t in decision.terms] == [1.5, 1.0, 1.25]


def test_a_weight_may_be_of_one_stream_and_one_of_no_topic_is_told() -> None:
    weights = {"t0": 2.0, "zh/web/t0": 0.5, "t9": 1.0}
    decision = TopicPerplexity(step_size=0.25, weights=weights).next_shares(observe([0.1, 0.1]))
    assert [t.factor for t in decision.terms] == [1.125, 1.25]
    assert decision.unused == {"t9"}


@pytest.mark.parametrize(
    "fields",
    [
        {"step_size": 1.0},
        {"step_size": math.nan},
        {"step_size": 0.6, "weights": {"a": 2.0}},
        {"weights": {"a": math.nan}},
        {"noise_gate": -1.0},
        {"noise_gate": math.nan},
    ],
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TopicPerplexity(**fields)


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
    assert [t.reason for t in decision.terms] == [
        "too few held-out documents to tell, as much of it",
        "no held-out loss, as much of it",
    ]
    assert decision.shares == {"a": 0.5, "b": 0.5}


@given(weights=st.lists(st.floats(0.01, 1), min_size=2, max_size=12))
def test_a_share_that_only_rounding_moved_is_not_called_moved(weights: list[float]) -> None:
    shares = [weight / math.fsum(weights) for weight in weights]
    terms = TopicPerplexity().next_shares(observe([0.0] * len(shares), shares=shares)).terms
    assert {term.reason for term in terms} == {"no change, as much of it"}
