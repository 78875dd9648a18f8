import math
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.mixture.curriculum import Ascending, AsGiven, Buckets, Descending, Shuffled, WarmupThenRandom

IDS = ["d", "c", "b", "a", "e"]
HARD = [0.5, 0.2, 0.5, math.nan, 0.9]


def names(order: list[int]) -> str:
    return "".join(IDS[i] for i in order)


def test_orders_break_ties_by_id_and_put_unscored_documents_last() -> None:
    assert names(Ascending().order(HARD, IDS)) == "cbdea"
    assert names(Descending().order(HARD, IDS)) == "ebdca"
    assert names(AsGiven().order(HARD, IDS)) == "dcbae"


def test_documents_without_any_difficulty_stay_as_given() -> None:
    assert names(Ascending().order([math.nan] * 5, IDS)) == "dcbae"


@given(st.lists(st.tuples(st.floats(0, 9), st.uuids().map(str)), unique_by=lambda x: x[1]), st.randoms())
def test_an_order_depends_on_documents_not_on_where_they_stood(
    documents: list[tuple[float, str]], random: Random
) -> None:
    mixed = random.sample(documents, len(documents))
    for order in (Ascending(), Descending(), Shuffled(seed=3)):
        first, second = (
            [docs[i] for i in order.order([d for d, _ in docs], [k for _, k in docs])] for docs in (documents, mixed)
        )
        assert first == second
        assert sorted(first) == sorted(documents)


def test_shuffled_is_pinned_and_its_seed_matters() -> None:
    assert names(Shuffled(seed=0).order(HARD, IDS)) == "cbeda"
    assert Shuffled(seed=0).order(HARD, IDS) != Shuffled(seed=1).order(HARD, IDS)


@given(st.lists(st.floats(0, 9) | st.just(math.nan)), st.integers(1, 6), st.integers(0, 3))
def test_buckets_are_sorted_between_and_mixed_inside(values: list[float], num_buckets: int, seed: int) -> None:
    ids = [f"d{i}" for i in range(len(values))]
    found = Buckets(num_buckets=num_buckets, seed=seed).order(values, ids)
    strict = Ascending().order(values, ids)
    count = sum(not math.isnan(value) for value in values)
    borders = [count * b // num_buckets for b in range(num_buckets + 1)]
    for a, b in pairwise(borders):
        assert sorted(found[a:b]) == sorted(strict[a:b])
    assert found[count:] == strict[count:], "what was not measured is at the end, as given"


def test_buckets_are_shuffled_by_the_seed() -> None:
    values, ids = [float(i) for i in range(40)], [f"d{i}" for i in range(40)]
    first, second = (Buckets(num_buckets=2, seed=seed).order(values, ids) for seed in (0, 1))
    assert first != second
    assert sorted(first[:20]) == sorted(second[:20]) == list(range(20)) != first[:20]
    assert Buckets(num_buckets=2, by=Descending()).order(values, ids)[0] >= 20


@given(st.lists(st.floats(0, 9) | st.just(math.nan)), st.floats(0.05, 0.95))
def test_a_warmup_is_easy_to_hard_and_the_rest_is_random(values: list[float], share: float) -> None:
    ids = [f"d{i}" for i in range(len(values))]
    found = WarmupThenRandom(share=share).order(values, ids)
    measured = [i for i in Ascending().order(values, ids) if not math.isnan(values[i])]
    count = round(len(measured) * share)
    assert found[:count] == measured[:count]
    assert sorted(found) == list(range(len(values)))
    assert found[count:] == [i for i in Shuffled().order(values, ids) if i not in set(found[:count])]


@pytest.mark.parametrize(
    ("order", "message"),
    [(lambda: Buckets(num_buckets=0), "num_buckets is 0"), (lambda: WarmupThenRandom(share=1.0), "share is 1.0")],
)
def test_what_makes_no_order_is_refused(order: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        order()
