"""How much of a text is in other texts, wherever it stands there: what similarity of whole documents does not see.

A page may quote half of a held-out one, or ten pages a tenth of it each, and no two documents are similar.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa

from regraft.curation.shingles import Hashes, normalised, num_common, shingles

BATCH = 256
"""Texts in memory at once."""


def containments(texts: Sequence[str], others: Iterable[str]) -> list[float]:
    """Return the share of each text's word 5-grams that occur anywhere in the others; CJK characters are words.

    In memory are the hashes of the 5-grams of `texts` only; the others are read once.
    """
    own = list(_hashes(texts))
    everything = np.unique(np.concatenate(own)) if own else np.empty(0, np.uint64)
    seen = np.zeros(len(everything), np.bool_)
    for other in _hashes(others):
        seen[np.flatnonzero(np.isin(everything, other, assume_unique=True))] = True
    met = everything[seen]
    return [num_common(hashes, met) / max(len(hashes), 1) for hashes in own]


def _hashes(texts: Iterable[str]) -> Iterator[Hashes]:
    """Yield the word 5-grams of each text."""
    rest = iter(texts)
    while batch := list(islice(rest, BATCH)):
        yield from shingles(normalised(pa.array(batch, pa.large_string())))
