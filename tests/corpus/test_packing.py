from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.corpus.packing import Packing, best_fit, concat_and_cut, joined, keep_whole

LENGTHS = st.lists(st.integers(0, 40), max_size=30)
SIZE = st.integers(1, 17)
WAYS = st.sampled_from([concat_and_cut, keep_whole, best_fit])
Way = Callable[[list[int], int], Packing]


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


@pytest.mark.parametrize("pack", [keep_whole, best_fit])
@given(lengths=LENGTHS, size=SIZE, window=st.integers(1, 5))
def test_each_token_stands_once_and_nothing_that_fits_is_cut(
    pack: Callable[[list[int], int, int], Packing], lengths: list[int], size: int, window: int
) -> None:
    packing = pack(lengths, size, window)
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


@given(LENGTHS, SIZE, st.integers(1, 5))
def test_best_fit_moves_no_document_out_of_its_run(lengths: list[int], size: int, window: int) -> None:
    packing = best_fit(lengths, size, window)
    begins = np.cumsum(lengths, dtype=int) - lengths
    runs = [{begins[d] // (window * size) for d, _, _ in packing.pieces(i)} for i in range(len(packing))]
    assert all(len(run) == 1 for run in runs)
    assert all(max(a) <= min(b) for a, b in pairwise(runs))


def test_best_fit_places_the_longest_pieces_first() -> None:
    packing = best_fit([4, 6, 13, 7], 10)
    assert [packing.pieces(i) for i in range(3)] == [[(0, 0, 4), (1, 0, 6)], [(2, 0, 10)], [(2, 10, 13), (3, 0, 7)]]
    assert packing.waste == 0


@given(st.lists(st.integers(1, 64), max_size=200))
def test_best_fit_leaves_at_most_one_sequence_of_a_run_half_empty(lengths: list[int]) -> None:
    assert sum(size <= 32 for size in sizes_of(best_fit(lengths, 64))) <= 1


def test_what_documents_of_skewed_lengths_waste() -> None:
    """10,000 documents, 400 tokens in the median, 27 to 6,002 long; each way pads less than the one before."""
    lengths = np.exp(np.sin(np.arange(10_000) ** 2) * 2.7 + 6).astype(int)
    narrow, wide = keep_whole(lengths, 2048), keep_whole(lengths, 2048, window=256)
    wastes = [packing.waste / lengths.sum() for packing in (narrow, wide, best_fit(lengths, 2048))]
    assert wastes == sorted(wastes, reverse=True)
    assert wastes[-1] < 0.005


@given(LENGTHS, SIZE, WAYS)
def test_the_pieces_of_a_document_lie_in_sequences_in_their_order(lengths: list[int], size: int, pack: Way) -> None:
    """What a training has consumed of a document is then always a part from its start."""
    packing = pack(lengths, size)
    read = dict.fromkeys(range(len(lengths)), 0)
    for number in range(len(packing)):
        documents = [document for document, _, _ in packing.pieces(number)]
        assert len(documents) == len(set(documents))
        for document, start, stop in packing.pieces(number):
            assert start == read[document]
            read[document] = stop


@given(LENGTHS, SIZE, WAYS)
def test_the_report_counts_what_the_packing_holds(lengths: list[int], size: int, pack: Way) -> None:
    packing = pack(lengths, size)
    report = packing.report()
    assert (report.tokens, report.documents) == (sum(lengths), sum(n > 0 for n in lengths))
    assert report.tokens + report.padding == report.sequences * size == len(packing) * size
    assert report.too_long == sum(n > size for n in lengths) <= report.cut == packing.num_cut


def test_a_document_that_is_longer_than_a_sequence_is_cut_and_its_last_piece_does_not_go_before_it() -> None:
    packing = keep_whole([5, 25, 5], 10)
    assert [packing.pieces(i) for i in (0, 3)] == [[(0, 0, 5), (2, 0, 5)], [(1, 20, 25)]]
    assert packing.num_cut == 1


def test_long_documents_are_counted_in_more_than_32_bits() -> None:
    packing = concat_and_cut([2**30] * 5, 2**30 - 1)
    assert packing.report().tokens == 5 * 2**30
    assert packing.pieces(4) == [(3, 2**30 - 4, 2**30), (4, 0, 2**30 - 5)]


@given(st.lists(LENGTHS, min_size=1, max_size=4), SIZE, WAYS)
def test_joined_packings_keep_their_sequences_and_number_documents_on(
    lengths: list[list[int]], size: int, pack: Way
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
    for packing in (pack(lengths, 8) for pack in (concat_and_cut, keep_whole, best_fit) for lengths in ([], [0, 0])):
        assert (len(packing), packing.waste, packing.num_cut) == (0, 0, 0)


def test_wrong_lengths_are_refused() -> None:
    with pytest.raises(ConfigError, match="sequence_length is 0"):
        concat_and_cut([1], 0)
    with pytest.raises(ConfigError, match="document 1 has the length -2"):
        keep_whole([1, -2], 4)
    with pytest.raises(ConfigError, match="window is 0"):
        keep_whole([1], 4, window=0)
    with pytest.raises(ConfigError, match="window is 0"):
        best_fit([1], 4, window=0)
    with pytest.raises(ConfigError, match="document 0 has the length 1073741825"):
        best_fit([2**30 + 1], 4)
