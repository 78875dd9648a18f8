"""The word 5-grams of texts as sets of hashes, and how much of one text is in another."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from regraft.curation.ngrams import Hashes, grams, hashed_words, text_offsets

SHINGLE = 5
"""Words. Source: arXiv:2406.17557 (FineWeb), 5-grams [R]."""
BATCH = 2**17
"""Characters that are hashed at once."""


def shingles(texts: Iterable[str]) -> Iterator[Hashes]:
    """Yield the distinct word 5-grams of each text, sorted hashes; all its words as one where it has fewer than five.

    A text without words has none. Case and punctuation are not looked at, and a CJK character is a word (`ngrams.py`).
    """
    for batch in _batches(texts):
        yield from _shingles(batch)


def jaccard(left: Hashes, right: Hashes) -> float:
    """Return the share of shingles that both have among those that either has; 0 where there are none."""
    common = num_common(left, right)
    return common / max(len(left) + len(right) - common, 1)


def num_common(left: Hashes, right: Hashes) -> int:
    """Return how many shingles both sorted sets have."""
    small, large = (left, right) if len(left) < len(right) else (right, left)
    if not len(small):
        return 0
    places = np.minimum(np.searchsorted(large, small), len(large) - 1)
    return int((large[places] == small).sum())


def _shingles(texts: Sequence[str]) -> Iterator[Hashes]:
    units = hashed_words("\n".join(texts))
    bounds = np.searchsorted(units.starts, text_offsets(texts)).tolist()
    runs = grams(units.hashes, SHINGLE)
    for first, last in pairwise(bounds):
        few = 0 < last - first < SHINGLE
        found = grams(units.hashes[first:last], last - first) if few else runs[first : max(last - SHINGLE + 1, first)]
        yield _distinct(found)


def _distinct(hashes: Hashes) -> Hashes:
    """Return the hashes sorted, each once; twice as fast as `np.unique` on so few."""
    found = np.sort(hashes)
    first = np.ones(len(found), np.bool_)
    np.not_equal(found[1:], found[:-1], out=first[1:])
    return found[first]


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch, size = list[str](), 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
