"""Documents in an order that has nothing to do with difficulty."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffled:
    """In an order that only seed and ids decide: a document more or less moves no other pair of documents."""

    seed: int = 0

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices, sorted by a hash of seed and id."""
        return shuffled(range(len(ids)), ids, self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsGiven:
    """As the documents stand in the corpus."""

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices as they are."""
        return list(range(len(ids)))


def shuffled(indices: Iterable[int], ids: Sequence[str], seed: int) -> list[int]:
    """Return some indices of `ids`, sorted by a hash of seed and id."""
    return sorted(indices, key=lambda i: hashlib.sha256(f"{seed}/{ids[i]}".encode()).digest())
