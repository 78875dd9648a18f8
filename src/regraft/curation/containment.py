"""How much of a text is in other texts, wherever it stands there: what similarity of whole documents does not see.

A page may quote half of a held-out one, or ten pages a tenth of it each, and no two documents are similar.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from regraft.curation.minhash import shingles


def containments(texts: Sequence[str], others: Iterable[str]) -> list[float]:
    """Return the share of each text's word 5-grams that occur anywhere in the others; CJK characters are words.

    In memory are the hashes of the 5-grams of `texts` only; the others are read once.
    """
    own = [_hashes(text) for text in texts]
    unseen = set[bytes]().union(*own)
    for other in others:
        unseen -= _hashes(other)
    return [1 - len(hashes & unseen) / len(hashes) for hashes in own]


def _hashes(text: str) -> frozenset[bytes]:
    return frozenset(blake2b(shingle.encode(), digest_size=8).digest() for shingle in shingles(text))
