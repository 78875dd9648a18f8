from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.mixture.controllers import ExcessLoss, TopicLoss

REFERENCES = {"a": 2.0, "b": 2.0, "c": 2.0}


def observed(*losses: float) -> list[TopicLoss]:
    n = len(losses)
    return [TopicLoss(topic="abc"[i], share=1 / n, loss=loss, before=None) for i, loss in enumerate(losses)]


def test_the_update_by_hand() -> None:
    """Excess 0.5, 0, 0: exp(0.5) of 1.6487 + 2 is 0.4519; a tenth of the even share is mixed in: 0.44 and 0.28."""
    decision = ExcessLoss(references=REFERENCES, smoothing=0.1).next_shares(observed(2.5, 2.0, 1.0))
    assert [t.delta for t in decision.terms] == [0.5, 0.0, 0.0]
    assert [round(t.share, 4) for t in decision.terms] == [0.44, 0.28, 0.28]
    assert decision.terms[0].reason == "0.5000 above its reference, more of it"
    assert decision.terms[2].reason == "at its reference or below, less of it"


@given(st.lists(st.floats(0, 5), min_size=3, max_size=3), st.floats(0, 5))
def test_only_the_excess_counts(excess: list[float], level: float) -> None:
    low, high = (
        ExcessLoss(references=dict.fromkeys("abc", at)).next_shares(observed(*(at + e for e in excess))).shares
        for at in (0.0, level)
    )
    assert high == pytest.approx(low)


@given(st.floats(0, 5))
def test_the_same_excess_everywhere_moves_nothing(excess: float) -> None:
    shares = ExcessLoss(references=REFERENCES).next_shares(observed(*[2.0 + excess] * 3)).shares
    assert list(shares.values()) == pytest.approx([1 / 3] * 3)


def test_smoothing_brings_back_a_topic_of_no_share() -> None:
    seen = [replace(o, share=s) for o, s in zip(observed(3.0, 3.0, 3.0), (0.0, 0.5, 0.5), strict=True)]
    decision = ExcessLoss(references=REFERENCES, smoothing=0.03).next_shares(seen)
    assert decision.terms[0].share == pytest.approx(0.01)
    assert ExcessLoss(references=REFERENCES, smoothing=0.0).next_shares(seen).terms[0].share == 0


def test_the_memory_is_the_mean_share_so_far() -> None:
    rule, seen, given_shares = ExcessLoss(references=REFERENCES), observed(2.5, 2.0, 1.0), list[float]()
    for number in (1, 2, 3):
        terms = rule.next_shares([replace(o, round=number) for o in seen]).terms
        given_shares.append(terms[0].share)
        assert terms[0].memory == pytest.approx(sum(given_shares) / number)
        seen = [replace(t.observed, share=t.share, memory=t.memory) for t in terms]


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"references name \['a', 'b'\], not 'c'"):
        ExcessLoss(references={"a": 1.0, "b": 1.0}).next_shares(observed(2.0, 2.0, 2.0))
    with pytest.raises(ConfigError, match="give each topic a loss"):
        ExcessLoss(references={**REFERENCES, "c": float("nan")})
    with pytest.raises(ConfigError, match="smoothing 2"):
        ExcessLoss(references=REFERENCES, smoothing=2)
