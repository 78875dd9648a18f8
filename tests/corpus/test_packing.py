from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.corpus.packing import Packing, concat_and_cut, joined, keep_whole

LENGTHS = st.lists(st.integers(0, 40), max_size=30)
SIZE = st.integers(1, 17)


def tokens_of(packing: Packing) -> list[tuple[int, int]]:
    """Every (document, position) in the order of the sequences."""
    spans = [piece for i in range(len(packing)) for piece in packing.pieces(i)]
    return [(document, position) for document, start, stop in spans for position in range(start, stop)]


def sizes_of(packing: Packing) -> list[int]:
    return [sum(stop - start for _, start, stop in packing.pieces(i)) for i in range(len(packing))]


@given(LENGTHS, SIZE)
def test_concat_and_cut_holds_each_token_once_in_order(lengths: list[int], size: int) -> None:
    packing = concat_and_cut(lengths, size)
    assert tokens_of(packing) == [(d, p) for d, n in enumerate(lengths) for p in range(n)]
    assert all(s == size for s in sizes_of(packing)[:-1])
    assert all(0 < s <= size for s in sizes_of(packing))
    assert packing.waste == len(packing) * size - sum(lengths) < size


@given(LENGTHS, SIZE, st.integers(1, 5))
def test_keep_whole_holds_each_token_once_and_cuts_nothing_that_fits(
    lengths: list[int], size: int, window: int
) -> None:
    packing = keep_whole(lengths, size, window)
    assert sorted(tokens_of(packing)) == [(d, p) for d, n in enumerate(lengths) for p in range(n)]
    assert all(0 < s <= size for s in sizes_of(packing))
    pieces = np.bincount(packing.document, minlength=len(lengths))
    assert pieces.tolist() == [-(-n // size) for n in lengths]
    assert packing.num_cut == sum(n > size for n in lengths)
    assert packing.waste == sum(size - s for s in sizes_of(packing))


@given(st.lists(st.integers(1, 17), max_size=40), st.integers(1, 4))
def test_keep_whole_moves_no_document_back_by_more_than_the_window(lengths: list[int], window: int) -> None:
    packing = keep_whole(lengths, 17, window)
    place = {d: i for i in range(len(packing)) for d, _, _ in packing.pieces(i)}
    newest = 0
    for document in range(len(lengths)):
        newest = max(newest, place[document])
        assert newest - place[document] < window


def test_keep_whole_fills_the_fullest_sequence_that_has_room() -> None:
    packing = keep_whole([6, 7, 3, 4], 10)
    assert [packing.pieces(i) for i in range(2)] == [[(0, 0, 6), (3, 0, 4)], [(1, 0, 7), (2, 0, 3)]]
    assert packing.waste == 0


def test_a_document_that_is_longer_than_a_sequence_is_cut_and_counted() -> None:
    packing = keep_whole([25, 5], 10)
    assert packing.pieces(2) == [(0, 20, 25), (1, 0, 5)]
    assert packing.num_cut == 1


@given(st.lists(LENGTHS, min_size=1, max_size=4), SIZE, st.sampled_from([concat_and_cut, keep_whole]))
def test_joined_packings_keep_their_sequences_and_number_documents_on(
    lengths: list[list[int]], size: int, pack: Callable[[list[int], int], Packing]
) -> None:
    parts = [pack(part, size) for part in lengths]
    firsts = [sum(map(len, lengths[:number])) for number in range(len(lengths))]
    whole = joined(parts, firsts)
    assert [whole.pieces(i) for i in range(len(whole))] == [
        [(document + first, start, stop) for document, start, stop in part.pieces(i)]
        for part, first in zip(parts, firsts, strict=True)
        for i in range(len(part))
    ]
    assert (whole.waste, whole.num_cut) == (sum(part.waste for part in parts), sum(part.num_cut for part in parts))


def test_nothing_to_pack_gives_no_sequence() -> None:
    for packing in (concat_and_cut([], 8), keep_whole([], 8), concat_and_cut([0, 0], 8)):
        assert (len(packing), packing.waste, packing.num_cut) == (0, 0, 0)


def test_wrong_lengths_are_refused() -> None:
    with pytest.raises(ConfigError, match="sequence_length is 0"):
        concat_and_cut([1], 0)
    with pytest.raises(ConfigError, match="document 1 has the length -2"):
        keep_whole([1, -2], 4)
    with pytest.raises(ConfigError, match="window is 0"):
        keep_whole([1], 4, window=0)
