import math
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from regraft.mixture.curriculum import Ascending, AsGiven, Descending, Shuffled, difficulty

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


def test_difficulty_is_per_byte_or_per_token_and_nan_where_nothing_was_scored() -> None:
    losses, tokens, sizes = [10.0, 10.0, 0.0], [5, 20, 0], [40, 20, 0]
    assert difficulty(losses, tokens, sizes)[:2] == [0.25, 0.5]
    assert difficulty(losses, tokens, sizes, "loss_per_token")[:2] == [2.0, 0.5]
    assert math.isnan(difficulty(losses, tokens, sizes)[2])
