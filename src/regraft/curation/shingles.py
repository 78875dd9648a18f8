"""Word 5-grams of texts as hashes, whole batches at once, and how much of one text is in another.

A text is first brought to the form in which signatures compare it too: NFD, lower case, no punctuation, one space
between words. Chinese, Japanese and Korean characters are words by themselves, set apart by spaces, or a Chinese
sentence would be one word and Chinese near duplicates would never meet. `N` texts, `B` bytes, `W` words.
"""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from regraft.corpus.engine import col, evaluate
from regraft.corpus.engine import functions as F

pc: Any = pyarrow.compute  # its functions are made when it is imported, so no checker knows them

SHINGLE = 5
"""Words. Source: arXiv:2406.17557 (FineWeb), 5-grams [R]."""
Hashes = npt.NDArray[np.uint64]

_SPACELESS = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}])"
_PUNCTUATION = "[\u2010-\u2027\u3001-\u3003\u3008-\u301f\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"
"""Of other scripts than Latin: what the engine's `remove_punct` does not know."""
_CHUNK = 1 << 18
"""Bytes of text whose arrays are in memory at once; they fit a cache."""
_BASE = 0x9E3779B97F4A7C15
"""Of the polynomial hash; odd, so that it has an inverse modulo 2^64."""


def normalised(texts: pa.Array) -> pa.LargeStringArray:
    """Return the texts in the form in which they are compared: [N].

    A text of nothing but punctuation stays as it is: two of them are alike when they are equal.
    """
    spaced = F.regexp_replace(col("text"), f"{_SPACELESS}|{_PUNCTUATION}", " $1 ")
    normal = F.normalize(spaced, remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    made = evaluate({"text": texts}, normal=normal).column("normal").cast(pa.large_string()).combine_chunks()
    return pc.if_else(pc.equal(made, ""), texts.cast(pa.large_string()), made)


def shingles(texts: pa.LargeStringArray) -> list[Hashes]:
    """Return the distinct word 5-grams of each normalised text, as sorted hashes; all its words as one when fewer.

    The hash of a 5-gram is that of its bytes, 64 bits: two of a million different 5-grams share one with a probability
    of 3e-8, so a set's size and the similarity of two sets are exact for all purposes.
    """
    offsets = _offsets(texts)
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    found: list[Hashes] = []
    for first, last in _chunks(offsets):
        found += _shingles(data[offsets[first] : offsets[last]], offsets[first : last + 1] - offsets[first])
    return found


def jaccard(left: Hashes, right: Hashes) -> float:
    """Return the share of shingles that both have among those that either has."""
    common = num_common(left, right)
    return common / max(len(left) + len(right) - common, 1)


def num_common(left: Hashes, right: Hashes) -> int:
    """Return how many shingles both sorted sets have."""
    small, large = (left, right) if len(left) < len(right) else (right, left)
    if not len(small):
        return 0
    places = np.minimum(np.searchsorted(large, small), len(large) - 1)
    return int((large[places] == small).sum())


def _offsets(texts: pa.LargeStringArray) -> npt.NDArray[np.int64]:
    return np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]


def _chunks(offsets: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield ranges of texts of about `_CHUNK` bytes, at least one text each."""
    first, count = 0, len(offsets) - 1
    while first < count:
        last = int(np.searchsorted(offsets, offsets[first] + _CHUNK, side="right")) - 1
        last = min(max(last, first + 1), count)
        yield first, last
        first = last


def _shingles(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> list[Hashes]:
    starts, ends, texts = _words(data, offsets)  # [W]
    of_text = np.searchsorted(texts, np.arange(len(offsets)))  # [N + 1], first word of each text
    firsts = np.arange(len(starts))
    lasts = np.minimum(firsts + SHINGLE, of_text[texts + 1]) - 1 if len(texts) else firsts
    whole = (lasts - firsts == SHINGLE - 1) | (firsts == of_text[texts])  # [W]; a text of fewer words is one shingle
    hashes = _hashes(data, starts[whole], ends[lasts[whole]])
    bounds = np.searchsorted(texts[whole], np.arange(len(offsets)))
    return [_distinct(hashes[a:b]) for a, b in pairwise(bounds)]


def _distinct(hashes: Hashes) -> Hashes:
    """Return the hashes sorted, each once; twice as fast as `np.unique` on so few."""
    found = np.sort(hashes)
    first = np.ones(len(found), np.bool_)
    np.not_equal(found[1:], found[:-1], out=first[1:])
    return found[first]


def _words(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
    """Return first byte, byte after the last, and text of each word."""
    letter = data > ord(" ")
    begins, stops = letter.copy(), letter.copy()
    begins[1:] &= ~letter[:-1]
    stops[:-1] &= ~letter[1:]
    filled = np.diff(offsets) > 0
    begins[offsets[:-1][filled]] |= letter[offsets[:-1][filled]]
    stops[offsets[1:][filled] - 1] |= letter[offsets[1:][filled] - 1]
    starts, ends = np.flatnonzero(begins), np.flatnonzero(stops) + 1
    return starts, ends, np.searchsorted(offsets, starts, side="right") - 1


def _hashes(data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Hashes:
    """Return the hash of the bytes of each range: a polynomial in the base, the sum over a range by two differences."""
    powers, inverses = _powers(_capacity(len(data)))
    sums = np.zeros(len(data) + 1, np.uint64)
    np.cumsum((data.astype(np.uint64) + np.uint64(1)) * powers[: len(data)], out=sums[1:])
    hashes = (sums[ends] - sums[starts]) * inverses[starts]
    hashes ^= hashes >> np.uint64(29)  # the last bits of a polynomial are weak
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    return hashes ^ (hashes >> np.uint64(32))


def _capacity(count: int) -> int:
    return max(_CHUNK, 1 << (count - 1).bit_length()) if count else _CHUNK


@cache
def _powers(count: int) -> tuple[Hashes, Hashes]:
    """Return the powers of the base and of its inverse, from 0."""
    return _geometric(_BASE, count), _geometric(pow(_BASE, -1, 2**64), count)


def _geometric(base: int, count: int) -> Hashes:
    found = np.ones(count, np.uint64)
    done = 1
    while done < count:
        step = min(done, count - done)
        found[done : done + step] = found[:step] * np.uint64(pow(base, done, 2**64))
        done += step
    return found
