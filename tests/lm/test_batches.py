import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.lm.batches import FILLED, MAX_PADDING, plan_batches

lengths = st.lists(st.integers(0, 60), max_size=20)


@given(lengths, st.integers(1, 200), st.integers(2, 50))
def test_every_token_but_the_first_is_scored_once_with_enough_before_it(
    lengths: list[int], batch_tokens: int, window: int
) -> None:
    batches = plan_batches(lengths, batch_tokens=batch_tokens, window=window)
    scored = [(p.document, i) for batch in batches for p in batch for i in range(p.scored_from, p.stop)]
    assert sorted(scored) == [(d, i) for d, n in enumerate(lengths) for i in range(1, n)]
    for batch in batches:
        width = max(piece.num_inputs for piece in batch)
        assert width <= window
        assert len(batch) == 1 or width * len(batch) <= batch_tokens
        for piece in batch:
            assert piece.scored_from - piece.start >= (1 if piece.start == 0 else window // 2)


@given(lengths)
def test_the_longest_comes_first(lengths: list[int]) -> None:
    widths = [batch[0].num_inputs for batch in plan_batches(lengths, batch_tokens=50, window=40)]
    assert widths == sorted(widths, reverse=True)


@given(st.lists(st.integers(2, 900), max_size=60))
def test_a_batch_that_is_filled_is_hardly_padded(lengths: list[int]) -> None:
    for batch in plan_batches(lengths, batch_tokens=4096, window=2048):
        padded = len(batch) * batch[0].num_inputs
        padding = padded - sum(piece.num_inputs for piece in batch)
        assert padded <= FILLED or padding <= MAX_PADDING * padded


def test_short_documents_wait_for_no_equals_but_do_not_join_long_ones() -> None:
    def widths(lengths: list[int]) -> list[list[int]]:
        return [[p.num_inputs for p in batch] for batch in plan_batches(lengths, batch_tokens=4096, window=2048)]

    assert widths([201, 11]) == [[200, 10]], "too few tokens to be worth a batch each, though half is padding"
    assert widths([1001, 951, 11]) == [[1000, 950], [10]], "2.5 % of padding is little, a third is not"


def test_sizes_that_make_no_batch_are_refused() -> None:
    with pytest.raises(ConfigError, match="window is 1"):
        plan_batches([3], batch_tokens=8, window=1)
