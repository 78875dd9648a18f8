"""The rule itself, on mixtures such as the paper's: web pages by topic beside sources without."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from regraft.mixture.turns import Turns

Places = list[tuple[str, str]]


def mixture(random: Random, spread: float) -> tuple[list[float], Places]:
    """Return shares and places of two languages of several sources, of which the first has eleven topics."""
    shares: list[float] = []
    places: Places = []
    for group, whole in (("zh", 0.2), ("en", 0.8)):
        for source in range(random.randint(1, 7)):
            topics = 11 if source == 0 else 1
            shares += [whole * random.uniform(1 / spread, 1) for _ in range(topics)]
            places += [(group, f"{group}/{source}")] * topics
    return scaled(shares), places


def scaled(shares: Sequence[float]) -> list[float]:
    return [share / sum(shares) for share in shares]


def credits_over(turns: Turns, steps: int) -> np.ndarray:
    """Return [steps, m] credits after each turn."""
    found: list[list[float]] = []
    for _ in range(steps):
        turns.take()
        found.append(turns.credits)
    return np.array(found)


def joint(credits: np.ndarray, names: Sequence[str]) -> float:
    """Return the largest credit of a cell, up or down."""
    sums = [credits[:, [i for i, name in enumerate(names) if name == cell]].sum(1) for cell in set(names)]
    return float(np.abs(sums).max())


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("spread", [1.5, 50])
def test_no_stream_is_a_sequence_away_and_no_source_or_group_two(seed: int, spread: float) -> None:
    shares, places = mixture(Random(seed), spread)
    credits = credits_over(Turns(shares, [0.0] * len(shares), places), 1500)
    assert np.abs(credits).max() < 1 + 1e-6
    assert joint(credits, [group for group, _ in places]) < 2
    assert joint(credits, [source for _, source in places]) < 2
    assert np.abs(credits.sum(1)).max() < 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_sixty_changes_of_topic_shares_leave_every_stream_within_a_sequence(seed: int) -> None:
    random = Random(seed)
    shares, places = mixture(random, 10)
    owed = [0.0] * len(shares)
    for _ in range(60):
        turns = Turns(shares, owed, places)
        credits = credits_over(turns, random.randint(1, 80))
        assert np.abs(credits).max() < 1 + 1e-6
        owed = turns.credits
        shares = scaled([share * random.uniform(0.8, 1.2) for share in shares])


def test_what_goes_on_after_any_turn_is_what_would_have_come() -> None:
    shares, places = mixture(Random(3), 20)
    whole = Turns(shares, [0.0] * len(shares), places)
    order = [whole.take() for _ in range(420)]
    for position in range(0, 400, 7):
        served = [order[:position].count(i) for i in range(len(shares))]
        again = Turns(shares, [0.0] * len(shares), places, served)
        assert [again.take() for _ in range(20)] == order[position : position + 20]


def test_a_stream_about_to_be_late_comes_before_the_group_whose_turn_it_is() -> None:
    """Of 31 equal streams in a group each is due at turn 31: the other group waits when room runs out."""
    shares = [0.031] * 31 + [0.039]
    credits = credits_over(Turns(shares, [0.0] * 32, [("many", "a")] * 31 + [("one", "b")]), 500)
    assert np.abs(credits).max() < 1 + 1e-6


def test_a_share_that_has_all_but_vanished_is_never_due() -> None:
    turns = Turns([0.75, 0.25, 1e-310], [0.0, 0.0, 0.0], [("en", "a"), ("en", "b"), ("en", "a")])
    order = [turns.take() for _ in range(40)]
    assert [order.count(stream) for stream in range(3)] == [30, 10, 0]
