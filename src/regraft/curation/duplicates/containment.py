"""How much of a text is in other texts, wherever it stands there: what similarity of whole documents does not see.

A page may quote half of a held-out one, or ten pages a tenth of it each, and no two documents are similar.
"""

from collections.abc import Iterable

import numpy as np

from regraft.curation.duplicates.shingles import num_common, shingles


def containments(texts: Iterable[str], others: Iterable[str]) -> list[float]:
    """Return the share of each text's word 5-grams that occur anywhere in the others; CJK characters are words.

    In memory are the hashes of the 5-grams of `texts` only; the others are read once.
    """
    own = list(shingles(texts))
    everything = np.unique(np.concatenate([np.empty(0, np.uint64), *own]))
    seen = np.zeros(len(everything), np.bool_)
    for other in shingles(others if len(everything) else ()):
        places = np.minimum(np.searchsorted(everything, other), len(everything) - 1)
        seen[places[everything[places] == other]] = True
    met = everything[seen]
    return [num_common(hashes, met) / max(len(hashes), 1) for hashes in own]
