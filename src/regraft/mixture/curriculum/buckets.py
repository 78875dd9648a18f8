"""Sorted roughly: buckets of similar difficulty, shuffled inside."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from regraft.core import ConfigError
from regraft.mixture.curriculum.shuffled import shuffled
from regraft.mixture.curriculum.sorted import Ascending, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Buckets of equally many documents, in the order of `by`, each shuffled by seed and id.

    A strict order puts documents of one kind side by side; inside a bucket they are mixed. Buckets are equal in
    documents, not in bytes. Documents without difficulty are in no bucket and follow, as `by` has them. A document
    more moves those at the borders of buckets only. The number of buckets is not in the paper.
    """

    by: Order = field(default_factory=Ascending)
    num_buckets: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_buckets < 1:
            raise ConfigError(f"num_buckets is {self.num_buckets}; give at least 1.")

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices bucket by bucket."""
        by_difficulty = self.by.order(difficulty, ids)
        measured = [i for i in by_difficulty if not math.isnan(difficulty[i])]
        borders = bucket_borders(len(measured), self.num_buckets)
        buckets = [measured[a:b] for a, b in pairwise(borders)]
        mixed = [i for bucket in buckets for i in shuffled(bucket, ids, self.seed)]
        return mixed + [i for i in by_difficulty if math.isnan(difficulty[i])]


def bucket_borders(count: int, num_buckets: int) -> list[int]:
    """Return where each of `num_buckets` buckets of `count` documents begins, and where the last one ends.

    Sizes differ by one at most; the borders of fewer buckets are among those of a multiple of them.
    """
    return [count * bucket // num_buckets for bucket in range(num_buckets + 1)]
