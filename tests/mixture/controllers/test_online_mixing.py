import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.mixture.controllers import OnlineMixing, TopicLoss
from regraft.mixture.controllers.online_mixing import exploration


def observed(*losses: float, round_: int = 1) -> list[TopicLoss]:
    n = len(losses)
    return [TopicLoss(topic=f"t{i}", share=1 / n, loss=x, before=None, round=round_) for i, x in enumerate(losses)]


def test_the_update_by_hand() -> None:
    """Two topics, t = 100: e = sqrt(ln 2 / 200) = 0.0589, before it sqrt(ln 2 / 198) = 0.0592; R = 6 and 4.

    exp(0.0592 x 2) = 1.1256 to 1 is 0.5295, of which 1 - 2 e = 0.8823 counts, and e is added: 0.5261.
    """
    terms = OnlineMixing().next_shares(observed(3.0, 2.0)).terms
    assert [t.memory for t in terms] == [6.0, 4.0]
    assert round(terms[0].share, 4) == 0.5261
    assert terms[0].reason == "reward 6, exploring with 0.12, more of it"


def test_the_reward_is_a_moving_average_over_the_share() -> None:
    seen = [replace(o, memory=10.0, share=s) for o, s in zip(observed(3.0, 2.0), (0.75, 0.25), strict=True)]
    assert [t.memory for t in OnlineMixing(smoothing=0.75).next_shares(seen).terms] == [8.5, 9.5]


@given(st.integers(2, 40), st.integers(0, 10_000))
def test_exploration_decays_from_an_even_share(arms: int, updates: int) -> None:
    assert 0 < exploration(arms, updates + 1) <= exploration(arms, updates) <= 1 / arms
    assert exploration(arms, 0) == 1 / arms


@given(st.lists(st.floats(0.5, 6), min_size=2, max_size=8), st.integers(1, 100))
def test_what_is_harder_gets_more_and_all_get_what_exploration_gives(losses: list[float], round_: int) -> None:
    terms = OnlineMixing().next_shares(observed(*losses, round_=round_)).terms
    ranked = sorted(terms, key=lambda t: t.observed.loss)
    assert all(a.share <= b.share + 1e-12 for a, b in pairwise(ranked))
    assert ranked[0].share >= exploration(len(losses), 100 * round_) - 1e-12


def test_a_starved_topic_comes_back() -> None:
    seen = [replace(o, share=s) for o, s in zip(observed(2.0, 2.0), (0.999, 0.001), strict=True)]
    terms = OnlineMixing().next_shares(seen).terms
    assert terms[1].share > 0.1
    assert math.isfinite(OnlineMixing().next_shares([replace(o, share=i) for i, o in enumerate(seen)]).terms[0].memory)


def test_one_update_a_decision_serves_evenly_at_first() -> None:
    decision = OnlineMixing(updates_per_decision=1).next_shares(observed(5.0, 1.0, 1.0, round_=2))
    assert list(decision.shares.values()) == pytest.approx([1 / 3] * 3)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="smoothing 1"):
        OnlineMixing(smoothing=1.0)
    with pytest.raises(ConfigError, match="updates_per_decision 0"):
        OnlineMixing(updates_per_decision=0)
