import math
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.training.schedules import Cosine, Decay, Infinite, Phase, Phased, Shape, WarmupStable, WarmupStableDecay

BUDGET = 1_000
SHAPES: tuple[Shape, ...] = ("linear", "1-sqrt", "cosine", "exponential")
TOKENS = st.integers(0, BUDGET // 3)
RATE = st.floats(1e-9, 1.0)
ENDS = {"start": 0.1, "peak": 1.0, "final": 0.1}


@st.composite
def schedules(draw: st.DrawFn) -> Phased:
    """Schedules of every kind that fit into the budget, with positive rates."""
    start, final, peak = draw(RATE), draw(RATE), draw(st.floats(1.0, 2.0))
    warmup, other, shape = draw(TOKENS), draw(TOKENS), draw(st.sampled_from(SHAPES))
    rise: dict[str, Any] = {"start": start, "peak": peak, "warmup_tokens": warmup}
    return draw(
        st.sampled_from(
            [
                WarmupStable(**rise),
                WarmupStableDecay(**rise, final=final, shape=shape, decay_tokens=other + 1),
                WarmupStableDecay(**rise, final=final, shape=shape, decay_share=draw(st.floats(0.01, 0.5))),
                Cosine(**rise, final=final),
                Infinite(**rise, constant=final, cooldown_tokens=other, cooldown=shape),
                Decay(peak=peak, final=final, shape=shape),
            ]
        )
    )


def borders(phases: tuple[Phase, ...]) -> list[tuple[int, int, Phase]]:
    """Return each phase with the tokens consumed before and after it."""
    ends = [sum(phase.tokens for phase in phases[: i + 1]) for i in range(len(phases))]
    return [(end - phase.tokens, end, phase) for end, phase in zip(ends, phases, strict=True)]


@given(schedules(), st.integers(0, 2 * BUDGET))
def test_no_rate_is_above_the_peak_or_below_the_lowest(schedule: Phased, consumed: int) -> None:
    ends = [rate for phase in schedule.phases(BUDGET) for rate in (phase.start, phase.end)]
    assert min(ends) <= schedule.learning_rate(consumed, BUDGET) <= max(ends)


@given(schedules())
def test_every_phase_ends_exactly_where_the_next_one_begins_and_the_last_one_holds(schedule: Phased) -> None:
    phases = schedule.phases(BUDGET)
    assert sum(phase.tokens for phase in phases) == BUDGET
    for (_, end, phase), following in zip(borders(phases), [*phases[1:], None], strict=True):
        assert following is None or phase.end == following.start
        if phase.tokens:
            assert schedule.learning_rate(end, BUDGET) == phase.end
    if phases[0].tokens:
        assert schedule.learning_rate(0, BUDGET) == phases[0].start
    assert schedule.learning_rate(BUDGET, BUDGET) == schedule.learning_rate(7 * BUDGET, BUDGET)


@given(schedules())
def test_the_rate_goes_one_way_in_each_phase(schedule: Phased) -> None:
    for begin, end, phase in borders(schedule.phases(BUDGET)):
        sign = 1 if phase.end >= phase.start else -1
        rates = [sign * schedule.learning_rate(n, BUDGET) for n in range(begin + 1, end + 1)]
        assert rates == sorted(rates)


@given(schedules(), st.integers(2, 1_000))
def test_the_rate_depends_on_tokens_only(schedule: Phased, finer: int) -> None:
    """Counted in units that are finer, it is the same: nothing is rounded to steps."""
    assume(not getattr(schedule, "decay_share", 0))  # a share is rounded to whole tokens
    counts = {"warmup_tokens", "decay_tokens", "cooldown_tokens"} & {field.name for field in fields(schedule)}
    fine = replace(schedule, **{name: getattr(schedule, name) * finer for name in counts})
    for consumed in range(0, BUDGET + 1, 50):
        coarse = schedule.learning_rate(consumed, BUDGET)
        assert fine.learning_rate(consumed * finer, BUDGET * finer) == pytest.approx(coarse, rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@given(st.floats(1e-6, 1.0), st.integers(1, 10**12))
def test_a_phase_is_continuous(shape: Shape, end: float, tokens: int) -> None:
    """One token of a long phase moves the rate by next to nothing; a square root is steepest at its start."""
    phase = Phase(name="", tokens=tokens, start=1.0, end=end, shape=shape)
    for done in {0, tokens // 3, tokens - 1}:
        assert abs(phase.rate(done + 1) - phase.rate(done)) <= 15 / math.sqrt(tokens)


def test_the_paper_s_warm_up() -> None:
    """1e-7 to 1e-5 over 10 billion tokens, then constant."""
    schedule = WarmupStable(start=1e-7, peak=1e-5, warmup_tokens=10_000_000_000)
    assert schedule.learning_rate(0, 10**11) == 1e-7
    assert schedule.learning_rate(5 * 10**9, 10**11) == pytest.approx((1e-7 + 1e-5) / 2)
    assert schedule.learning_rate(10**10, 10**11) == schedule.learning_rate(10**11, 10**11) == 1e-5


@pytest.mark.parametrize(
    ("shape", "rates"),
    [
        ("linear", [1.0, 0.775, 0.55, 0.1]),
        ("1-sqrt", [1.0, 0.55, 0.1 + 0.9 * (1 - math.sqrt(0.5)), 0.1]),
        ("cosine", [1.0, 0.1 + 0.45 * (1 + math.sqrt(0.5)), 0.55, 0.1]),
        ("exponential", [1.0, 10**-0.25, 10**-0.5, 0.1]),
    ],
)
def test_the_shapes_of_a_decay(shape: Shape, rates: list[float]) -> None:
    """At its start, a quarter, half and the whole of it; the same in each schedule that ends with it."""
    stable = WarmupStableDecay(**ENDS, warmup_tokens=200, decay_share=0.2, shape=shape)
    assert [stable.learning_rate(n, 1_000) for n in (800, 850, 900, 1_000)] == pytest.approx(rates)
    assert [stable.learning_rate(n, 1_000) for n in (0, 100, 200, 500)] == pytest.approx([0.1, 0.55, 1.0, 1.0])
    decay = Decay(peak=1.0, final=0.1, shape=shape)
    assert [decay.learning_rate(n, 200) for n in (0, 50, 100, 200)] == pytest.approx(rates)


def test_a_decay_over_a_number_of_tokens_is_that_over_their_share() -> None:
    share, tokens = WarmupStableDecay(peak=1.0, decay_share=0.25), WarmupStableDecay(peak=1.0, decay_tokens=25)
    assert [share.learning_rate(n, 100) for n in range(101)] == [tokens.learning_rate(n, 100) for n in range(101)]


def test_cosine_warms_up_again_from_where_the_earlier_training_ended() -> None:
    schedule = Cosine(start=3e-5, peak=3e-4, final=3e-5, warmup_tokens=10)
    rates = [schedule.learning_rate(n, 110) for n in (0, 5, 10, 60, 110)]
    assert rates == pytest.approx([3e-5, 1.65e-4, 3e-4, 1.65e-4, 3e-5])


def test_an_infinite_schedule_has_the_same_rates_under_any_budget_and_its_decay_takes_up_where_it_stands() -> None:
    schedule = Infinite(peak=4.0, constant=1.0, warmup_tokens=10, cooldown_tokens=20)
    assert [schedule.learning_rate(n, 50) for n in (10, 20, 30, 31, 50)] == pytest.approx([4.0, 2.5, 1.0, 1.0, 1.0])
    assert {schedule.learning_rate(25, budget) for budget in (30, 50, 10**15)} == {schedule.learning_rate(25, 40)}
    assert Decay(peak=1.0).learning_rate(0, 50) == schedule.learning_rate(50, 50)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (WarmupStable(peak=1.0, warmup_tokens=101), "a warm-up of 101 tokens"),
        (Cosine(peak=1.0, warmup_tokens=101), "Cosine: a warm-up of 101 tokens"),
        (
            WarmupStableDecay(peak=1.0, warmup_tokens=60, decay_tokens=41),
            "a warm-up of 60 and a decay of 41 tokens do not fit into the budget of 100",
        ),
        (Infinite(peak=1.0, constant=0.5, warmup_tokens=50, cooldown_tokens=51), "and a cooldown of 51 tokens"),
    ],
)
def test_phases_that_do_not_fit_into_the_budget_are_told(schedule: Phased, message: str) -> None:
    for consumed in (0, 100):
        with pytest.raises(ConfigError, match=message):
            schedule.learning_rate(consumed, 100)
        schedule.learning_rate(consumed, 101)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (WarmupStable, {"peak": 0.0}),
        (WarmupStable, {"peak": math.nan}),
        (WarmupStable, {"peak": 1.0, "start": 2.0}),
        (WarmupStable, {"peak": 1.0, "warmup_tokens": -1}),
        (WarmupStableDecay, {"peak": 1.0, "decay_share": 1.5}),
        (WarmupStableDecay, {"peak": 1.0, "decay_share": 0.1, "decay_tokens": 5}),
        (WarmupStableDecay, {"peak": 1.0}),
        (WarmupStableDecay, {"peak": 1.0, "decay_share": 0.1, "shape": "exponential"}),
        (WarmupStableDecay, {"peak": 1.0, "decay_share": 0.1, "final": 1.1}),
        (Cosine, {"peak": 1.0, "final": -0.1}),
        (Infinite, {"peak": 1.0, "constant": 1.1, "cooldown_tokens": 5}),
        (Infinite, {"peak": 1.0, "constant": 0.5, "cooldown_tokens": -5}),
        (Decay, {"peak": 1.0, "shape": "exponential"}),
        (Decay, {"peak": 1.0, "final": math.nan}),
    ],
)
def test_settings_that_make_no_sense_are_refused(kind: type[Phased], settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        kind(**settings)
