"""Easy to hard for a while, then at random."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from regraft.core import ConfigError
from regraft.mixture.curriculum.shuffled import shuffled
from regraft.mixture.curriculum.sorted import Ascending, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupThenRandom:
    """The first `share` of the documents in the order of `by`, all others after them by a hash of seed and id.

    Documents without difficulty are among the others. The others are harder on average than the whole, by what the
    warm-up took out of them.

    Source: curricula speed up early training and are best as a warm-up before random order (arXiv:2506.11300, from
    an abstract). How long, and of which documents: not in the paper.
    """

    share: float = 0.2
    """Of the documents that were measured."""
    by: Order = field(default_factory=Ascending)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ConfigError(f"share is {self.share}; give more than 0 and less than 1, or use another order.")

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices, those of the warm-up first."""
        by_difficulty = self.by.order(difficulty, ids)
        measured = [i for i in by_difficulty if not math.isnan(difficulty[i])]
        first = measured[: round(len(measured) * self.share)]
        return first + shuffled(set(range(len(ids))).difference(first), ids, self.seed)
