"""The buckets of a stream whose documents stand in the order of their difficulty, and where other documents belong."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from regraft.core import ConfigError
from regraft.mixture.curriculum.buckets import bucket_borders


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Buckets of one stream, from its first document to its last; they hold equally many documents."""

    starts: tuple[int, ...]
    """Number of the first document of each bucket in the stream."""
    limits: tuple[float, ...]
    """Difficulty of the last document of each bucket but the last one, by the sign of `sign`."""
    sign: int
    """1 when difficulty rises from bucket to bucket, -1 when it falls."""

    def bucket_of(self, difficulty: float) -> int:
        """Return the bucket of a document that is not of the stream, a held-out one."""
        return bisect_left(self.limits, self.sign * difficulty)


def levels_of(difficulty: Sequence[float], num_buckets: int) -> Levels | None:
    """Return the buckets of a stream, None when it has fewer measured documents.

    `difficulty` is that of its documents in their order, NaN where it was not measured; those stand
    at the end and belong to the last bucket.

    Raises:
        ConfigError: the documents do not stand in buckets of rising or of falling difficulty, those without at the end.
    """
    count = sum(not math.isnan(value) for value in difficulty)
    if count < num_buckets:
        return None
    measured = difficulty[:count]
    borders = bucket_borders(count, num_buckets)
    buckets = [measured[a:b] for a, b in pairwise(borders)]
    for sign in (1, -1):
        lows, highs = ([pick(sign * value for value in bucket) for bucket in buckets] for pick in (min, max))
        if all(high <= low for high, low in zip(highs, lows[1:], strict=False)) and not any(map(math.isnan, measured)):
            return Levels(starts=tuple(borders[:-1]), limits=tuple(highs[:-1]), sign=sign)
    raise ConfigError(
        f"Documents do not stand in {num_buckets} buckets of rising or falling difficulty. Tokenize it in the order "
        "Ascending() or Descending(), or Buckets() with as many buckets or a multiple of them."
    )
