import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.mixture.controllers import Bounds, TopicLoss, Velocity


def topic(name: str, initial: float, loss: float, share: float = 0.5) -> TopicLoss:
    return TopicLoss(topic=name, stream=f"zh/web/{name}", share=share, loss=loss, before=initial, initial=initial)


def test_the_update_by_hand() -> None:
    """a went 1/4 of its way, b 3/4: exp(0.75) : exp(0.25) of equal shares is 0.6225 : 0.3775."""
    decision = Velocity(targets={"a": 2.0, "b": 1.0}).next_shares([topic("a", 4.0, 3.5), topic("b", 3.0, 1.5)])
    assert [t.delta for t in decision.terms] == [0.75, 0.25]
    assert [round(t.share, 4) for t in decision.terms] == [0.6225, 0.3775]
    assert [t.target for t in decision.terms] == [2.0, 1.0]
    assert decision.terms[0].reason == "75 % of the way to its target left, more of it"


@given(st.floats(0.1, 10), st.floats(-5, 5), st.lists(st.floats(0.1, 2), min_size=2, max_size=8))
def test_neither_the_unit_of_the_loss_nor_how_hard_a_topic_is_matters(
    scale: float, shift: float, left: list[float]
) -> None:
    def shares(scale: float, shift: float) -> dict[str, float]:
        seen = [
            topic(f"t{i}", scale * 10 + shift, scale * (4 + 3 * x) + shift, 1 / len(left)) for i, x in enumerate(left)
        ]
        return (
            Velocity(targets={f"t{i}": max(0.0, scale * 4 + shift) for i in range(len(left))}).next_shares(seen).shares
        )

    assert shares(scale, abs(shift)) == pytest.approx(shares(1.0, 0.0))


@given(st.lists(st.floats(1.0, 4.0), min_size=2, max_size=8))
def test_the_further_behind_the_more_it_gets(losses: list[float]) -> None:
    n = len(losses)
    seen = [topic(f"t{i}", 3.0, loss, 1 / n) for i, loss in enumerate(losses)]
    shares = list(Velocity(targets=dict.fromkeys([o.topic for o in seen], 1.0)).next_shares(seen).shares.values())
    ranked = sorted(range(n), key=lambda i: losses[i])
    assert all(shares[a] <= shares[b] + 1e-12 for a, b in pairwise(ranked))


def test_equal_velocities_move_nothing() -> None:
    seen = [topic("a", 4.0, 3.0, 0.3), topic("b", 6.0, 4.0, 0.7)]
    assert Velocity(targets={"a": 2.0, "b": 2.0}).next_shares(seen).shares == pytest.approx({"a": 0.3, "b": 0.7})


def test_a_topic_at_its_target_lags_no_more_and_a_lost_one_is_cut() -> None:
    seen = [topic("a", 2.0, 3.0), topic("b", 4.0, 1.0), topic("c", 4.0, 99.0)]
    terms = Velocity(targets={"a": 2.0, "b": 2.0, "c": 2.0}).next_shares(seen).terms
    assert [t.delta for t in terms] == [0.0, 0.0, 2.0]
    assert terms[1].reason == "at its target, less of it"


def test_without_an_initial_loss_a_topic_keeps_its_share() -> None:
    seen = [replace(topic("a", 4.0, 3.0, 0.4), initial=None), topic("b", 4.0, 3.0, 0.4), topic("c", 4.0, 2.0, 0.2)]
    terms = Velocity(targets={"a": 2.0, "b": 2.0, "c": 2.0}).next_shares(seen).terms
    assert terms[0].share == pytest.approx(0.4)
    assert terms[0].reason.startswith("no initial loss")
    assert math.fsum(t.share for t in terms) == pytest.approx(1)


def test_a_target_may_be_of_one_language_and_none_is_refused() -> None:
    seen = [topic("a", 4.0, 3.0), topic("b", 4.0, 3.0)]
    decision = Velocity(targets={"a": 1.0, "zh/web/a": 2.0, "b": 2.0, "c": 1.0}).next_shares(seen)
    assert decision.terms[0].target == 2.0
    assert decision.unused == {"c"}
    with pytest.raises(ConfigError, match=r"targets name \['a'\], not 'b' or 'zh/web/b'"):
        Velocity(targets={"a": 2.0}).next_shares(seen)
    for targets in ({}, {"a": math.nan}, {"a": 1.0, "b": math.nan}, {"a": math.inf}):
        with pytest.raises(ConfigError, match="give each topic a loss"):
            Velocity(targets=targets)
    with pytest.raises(ConfigError, match="step_size is nan"):
        Velocity(targets={"a": 1.0}, step_size=math.nan)


def test_topics_that_a_large_step_leaves_nothing_still_take_what_a_cap_cuts_off() -> None:
    seen = [topic("a", 5.0, 5.0), topic("b", 5.0, 2.0), topic("c", 5.0, 2.0)]
    rule = Velocity(targets=dict.fromkeys("abc", 2.0), step_size=800.0, bounds=Bounds(cap=0.6))
    assert rule.next_shares(seen).shares == pytest.approx({"a": 0.6, "b": 0.2, "c": 0.2})
