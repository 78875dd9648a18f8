import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.mixture.projection import approach, project

some_weights = st.lists(st.floats(0, 1), min_size=1, max_size=20).filter(lambda w: sum(w) > 1e-6)


@given(some_weights, st.floats(0, 1), st.floats(0, 1))
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
        project([0.1, 0.2, 0.3], floor, cap)


@given(st.data(), st.integers(1, 12), st.floats(0.001, 1))
def test_the_way_to_a_goal_is_straight_and_as_short_as_allowed(data: st.DataObject, n: int, most: float) -> None:
    ends = [data.draw(st.lists(st.floats(0.01, 1), min_size=n, max_size=n)) for _ in range(2)]
    now, goal = ([w / math.fsum(ws) for w in ws] for ws in ends)
    then = approach(now, goal, most)
    assert math.fsum(then) == pytest.approx(1, abs=1e-9)
    furthest = max(abs(b - a) for a, b in zip(now, goal, strict=True))
    part = min(1.0, most / furthest) if furthest else 1.0
    assert then == pytest.approx([a + part * (b - a) for a, b in zip(now, goal, strict=True)], abs=1e-12)
    assert all(min(a, b) <= c <= max(a, b) for a, b, c in zip(now, goal, then, strict=True))


def test_a_goal_within_reach_is_reached_exactly() -> None:
    assert approach([0.5, 0.5], [0.4, 0.6], 0.2) == [0.4, 0.6]
    assert approach([0.5, 0.5], [0.1, 0.9], 0.2) == pytest.approx([0.3, 0.7])
