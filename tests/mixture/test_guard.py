import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.mixture.guard import ForgettingGuard, Rise, group_share, with_group_share
from regraft.mixture.shares import Group, Mixture, Source, StreamKey

GUARD = ForgettingGuard(protected=("wiki",), replay="en", limit=0.04, stop_limit=0.4, step=0.1, cap=0.75)
MIXTURE = Mixture(
    groups=(
        Group(name="zh", share=0.5, sources=(Source(name="web", share=1.0),)),
        Group(name="en", share=0.4, sources=(Source(name="wiki", share=0.75), Source(name="book", share=0.25))),
        Group(name="code", share=0.1, sources=(Source(name="code", share=1.0),)),
    )
)
SHARES = {
    StreamKey("zh", "web", "a"): 0.3,
    StreamKey("zh", "web", "b"): 0.2,
    StreamKey("en", "wiki", "a"): 0.3,
    StreamKey("en", "book", "a"): 0.1,
    StreamKey("en", "code", "-"): 0.1,
}


def rise(value: float, error: float = 0.001, name: str = "en/wiki") -> Rise:
    return Rise(name=name, rise=value, error=error)


def test_replay_is_raised_up_to_the_cap_and_lowered_to_the_plan() -> None:
    share, said = 0.4, list[str]()
    for value in (0.03, 0.05, 0.06, 0.05, 0.05, 0.05, 0.03, 0.01, 0.0, -0.1, -0.1, -0.1):
        verdict = GUARD.judge([rise(value)], planned=0.4, now=share)
        share = verdict.replay
        said.append(f"{share:.2f} {verdict.reason.rpartition(': ')[2]}")
    assert said == [
        "0.40 ",
        "0.50 replay raised to 0.5",
        "0.60 replay raised to 0.6",
        "0.70 replay raised to 0.7",
        "0.75 replay raised to 0.75",
        "0.75 replay at its cap of 0.75",
        "0.75 replay stays",
        "0.65 replay lowered to 0.65",
        "0.55 replay lowered to 0.55",
        "0.45 replay lowered to 0.45",
        "0.40 replay lowered to 0.4",
        "0.40 ",
    ]


def test_a_group_at_its_cap_but_for_rounding_is_not_called_raised() -> None:
    verdict = GUARD.judge([rise(0.05)], planned=0.4, now=math.nextafter(GUARD.cap, 0))
    assert verdict.reason.endswith("replay at its cap of 0.75")


@pytest.mark.parametrize(
    ("seen", "replay"),
    [
        ([rise(0.05, error=0.02)], 0.5),
        ([rise(0.05, error=0.026)], 0.4),  # within noise
        ([rise(5.0, error=math.inf)], 0.4),  # too few documents to tell
        ([rise(0.04)], 0.4),
        ([rise(-0.5), rise(0.05, name="en/book")], 0.5),  # the worst decides
    ],
)
def test_a_rise_counts_beyond_its_limit_and_beyond_noise(seen: Sequence[Rise], replay: float) -> None:
    assert GUARD.judge(seen, planned=0.4, now=0.4).replay == pytest.approx(replay)


def test_training_stops_at_the_worst_and_says_why() -> None:
    verdict = GUARD.judge([rise(0.5, 0.01), rise(0.45, name="en/book")], planned=0.4, now=0.6)
    assert (verdict.stop, verdict.replay) == (True, 0.6)
    assert verdict.reason == "en/wiki is +0.5000 ± 0.0100 nats a token against the start, beyond 0.4: training stops"
    assert not GUARD.judge([rise(0.5, 0.3)], planned=0.4, now=0.6).stop


def test_without_replay_a_guard_only_warns_and_stops() -> None:
    guard = ForgettingGuard(protected=("wiki",), stop_limit=0.4)
    verdict = guard.judge([rise(0.1)], planned=0.0, now=0.0)
    assert (verdict.replay, verdict.stop) == (0.0, False)
    assert verdict.reason.endswith("beyond 0.05: replay cannot be raised")
    assert guard.judge([rise(0.5)], planned=0.0, now=0.0).stop
    assert GUARD.judge([rise(0.1)], planned=0.4, now=0.4, live=False).replay == 0.4


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 0.5)), min_size=1, max_size=5),
    st.floats(0.05, 0.7),
    st.floats(0, 1),
)
def test_replay_stays_between_plan_and_cap_and_moves_one_step(
    seen: list[tuple[float, float]], planned: float, part: float
) -> None:
    now = planned + part * (GUARD.cap - planned)
    verdict = GUARD.judge([rise(*r) for r in seen], planned, now)
    assert planned - 1e-9 <= verdict.replay <= GUARD.cap + 1e-9
    assert abs(verdict.replay - now) <= GUARD.step + 1e-12
    assert (abs(verdict.replay - now) < 1e-12) or verdict.reason


@given(st.floats(0.001, 0.999))
def test_a_group_is_moved_and_all_proportions_within_and_without_stay(share: float) -> None:
    moved = with_group_share(MIXTURE, SHARES, "en", share)
    assert math.fsum(moved.values()) == pytest.approx(1, abs=1e-12)
    assert group_share(MIXTURE, moved, "en") == pytest.approx(share)
    wiki, book = StreamKey("en", "wiki", "a"), StreamKey("en", "book", "a")
    assert moved[wiki] == pytest.approx(3 * moved[book])
    outside = [moved[key] for key in SHARES if key not in (wiki, book)]
    assert outside == pytest.approx([x * (1 - share) / 0.6 for x in (0.3, 0.2, 0.1)])


@pytest.mark.parametrize(
    "fields",
    [
        {"protected": ()},
        {"replay": "", "stop_limit": 0.0},
        {"limit": 0.0},
        {"limit": math.nan},
        {"stop_limit": math.nan},
        {"noise_gate": math.nan},
        {"stop_limit": 0.01},
        {"step": 0.0},
        {"cap": 1.0},
        {"release": 1.5},
    ],
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ForgettingGuard(**{"protected": ("wiki",), "replay": "en", **fields})


@pytest.mark.parametrize(("replay", "cap"), [("fr", 0.9), ("en", 0.4)])
def test_a_replay_group_that_cannot_be_raised_is_refused(replay: str, cap: float) -> None:
    with pytest.raises(ConfigError, match=f"raises the group {replay!r} up to {cap}"):
        ForgettingGuard(protected=("wiki",), replay=replay, cap=cap).check(MIXTURE)
