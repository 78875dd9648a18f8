from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.training.schedule import WarmupStable, WarmupStableDecay


def test_the_paper_s_warm_up() -> None:
    """1e-7 to 1e-5 over 10 billion tokens, then constant."""
    schedule = WarmupStable(start=1e-7, peak=1e-5, warmup_tokens=10_000_000_000)
    assert schedule.learning_rate(0, 10**11) == 1e-7
    assert schedule.learning_rate(5 * 10**9, 10**11) == pytest.approx((1e-7 + 1e-5) / 2)
    assert schedule.learning_rate(10**10, 10**11) == schedule.learning_rate(10**11, 10**11) == 1e-5


def test_the_decay_ends_at_the_final_rate_and_starts_where_its_share_says() -> None:
    schedule = WarmupStableDecay(peak=1.0, warmup_tokens=10, decay_share=0.2, final=0.1)
    rates = [schedule.learning_rate(n, 100) for n in (5, 10, 79, 80, 90, 100)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 1.0, 0.55, 0.1])
    assert WarmupStableDecay(peak=1.0, decay_share=0.0).learning_rate(100, 100) == 1.0


@given(st.integers(0, 1000), st.floats(0, 1), st.integers(0, 2000))
def test_rates_stay_between_the_bounds(consumed: int, share: float, warmup: int) -> None:
    schedule = WarmupStableDecay(start=0.1, peak=1.0, final=0.1, warmup_tokens=warmup, decay_share=share)
    assert 0.1 - 1e-9 <= schedule.learning_rate(consumed, 1000) <= 1.0


@pytest.mark.parametrize("fields", [{"peak": 0.0}, {"peak": 1.0, "start": 2.0}, {"peak": 1.0, "warmup_tokens": -1}])
def test_rates_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
    for schedule in (WarmupStable, WarmupStableDecay):
        with pytest.raises(ConfigError):
            schedule(**fields)
    with pytest.raises(ConfigError, match=r"decay_share is 1\.5"):
        WarmupStableDecay(peak=1.0, decay_share=1.5)
