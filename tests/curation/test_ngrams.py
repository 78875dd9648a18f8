import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.corpus.words import CJK
from regraft.curation import ngrams
from regraft.curation.ngrams import grams, hashed_tokens, hashed_words

WORD = re.compile(rf"[{CJK}]|(?:[^\W_{CJK}]|[\u0300-\u036f\u0900-\u0903\u093a-\u094f])+")
TEXTS = st.text(st.sampled_from("aB'’- .1_é́中文カ한हिन्दी\n\x00\U00020000😀ẞ")) | st.text(
    st.characters(max_codepoint=0x24F), max_size=200
)


hashed_words("")  # builds the tables, which would take longer than an example may


@given(TEXTS)
def test_words_are_runs_of_letters_and_digits(text: str) -> None:
    units = hashed_words(text)
    assert [text[a:b] for a, b in zip(units.starts, units.stops, strict=True)] == WORD.findall(text)


@given(TEXTS, st.integers(1, 9))
def test_pieces_give_what_the_whole_gives(text: str, piece: int) -> None:
    longest = max(map(len, WORD.findall(text)), default=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngrams, "PIECE", max(piece, longest + 1))
        pieces = hashed_words(text)
    whole = hashed_words(text)
    for name in ("hashes", "starts", "stops"):
        assert getattr(pieces, name).tolist() == getattr(whole, name).tolist()


@given(st.lists(st.text("abcAB12", min_size=1, max_size=4), min_size=1))
def test_words_share_a_hash_when_they_are_equal_without_case(found: list[str]) -> None:
    hashes = hashed_words(" ".join(found)).hashes.tolist()
    for a, left in zip(hashes, found, strict=True):
        for b, right in zip(hashes, found, strict=True):
            assert (a == b) == (left.casefold() == right.casefold())


def test_case_punctuation_and_digits() -> None:
    assert (
        hashed_words("It’s HERE, well-known: Ä").hashes.tolist()
        == hashed_words("it's\nhere well known ä").hashes.tolist()
    )
    assert hashed_words("straße").hashes.tolist() != hashed_words("strasse").hashes.tolist()
    assert hashed_words("page 7").hashes.tolist() != hashed_words("page 8").hashes.tolist()
    plain = [hashed_words(text, digits_alike=True).hashes.tolist() for text in ("page 7", "page 8", "page 78")]
    assert plain[0] == plain[1] != plain[2]


def test_hashes_are_the_same_everywhere() -> None:
    found = hashed_words("The same in every process, 在每台机器上")
    assert f"{int(np.bitwise_xor.reduce(found.hashes)):016x}" == "29a740d2e4f5931d"
    assert [f"{value:016x}" for value in grams(found.hashes, 11).tolist()] == ["f907d7fe542f2a61"]


@given(st.lists(st.integers(0, 2), max_size=12), st.integers(1, 4))
def test_runs_share_a_hash_when_their_units_are_equal(ids: list[int], size: int) -> None:
    units = hashed_tokens(ids, [(n, n + 1) for n in range(len(ids))])
    runs = [tuple(ids[n : n + size]) for n in range(len(ids) - size + 1)]
    hashes = grams(units.hashes, size).tolist()
    assert len(hashes) == len(runs)
    assert [[a == b for b in hashes] for a in hashes] == [[a == b for b in runs] for a in runs]
    assert not set(hashes) & set(grams(units.hashes, size + 1).tolist())


def test_a_word_longer_than_a_piece_is_cut() -> None:
    units = hashed_words("x" * (ngrams.PIECE + 5) + " end")
    assert units.starts.tolist() == [0, ngrams.PIECE, ngrams.PIECE + 6]
