"""Drawing without replacement: groups in their shares, and inside a group each item by its weight.

One pass, and no random generator: what is drawn depends on the seed, the places and the weights alone, not on the order
of the documents.
"""

import hashlib
import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """Something to draw."""

    place: str
    """What tells it from all others."""
    weight: float
    value: T


def time(seed: int, place: str, weight: float) -> float:
    """Return when an item is drawn: the smallest time first.

    It is the time until the first event at the rate `weight`, with a hash of the place as its uniform number. So the
    chance of an item to be drawn next is its weight over the weights of all that are left.

    Source: Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006; in logarithms.
    """
    digest = hashlib.sha256(f"{seed} draw {place}".encode()).digest()
    uniform = (int.from_bytes(digest[:6]) + 1) / 2**48  # in (0, 1]
    return -math.log(uniform) / weight


def shares(weights: Mapping[str, float], floor: float) -> dict[str, float]:
    """Return shares that sum to 1, in proportion to `weights`, but each at least `floor` of an equal one.

    share = floor / n + (1 - floor) * weight / (sum of weights), for n groups. At floor 1 all are equal.
    """
    whole = math.fsum(weights.values())
    return {name: floor / len(weights) + (1 - floor) * weight / whole for name, weight in weights.items()}


class Draw(Generic[T]):
    """Draws `count` of all items that are offered; holds no more than `count` of each group."""

    def __init__(self, count: int, seed: int, floor: float = 1.0) -> None:
        self.count, self.seed, self.floor = count, seed, floor
        self.weights: dict[str, float] = {}
        """Group -> sum of the weights of its items."""
        self.sizes: dict[str, int] = {}
        """Group -> items offered."""
        self._first: dict[str, list[tuple[int, float, str, T]]] = {}

    def offer(self, group: str, items: Sequence[Item[T]]) -> None:
        """Offer the items of one document.

        No document is asked for a second item before every other one of its group gave one.
        """
        self.weights[group] = self.weights.get(group, 0.0) + math.fsum(item.weight for item in items)
        self.sizes[group] = self.sizes.get(group, 0) + len(items)
        first = self._first.setdefault(group, [])
        ordered = sorted((time(self.seed, item.place, item.weight), item.place, item.value) for item in items)
        for depth, (when, place, value) in enumerate(ordered):
            heapq.heappush(first, (-depth, -when, place, value))  # the last to be drawn stands at the top
            if len(first) > self.count:
                heapq.heappop(first)

    @property
    def shares(self) -> dict[str, float]:
        """Group -> its share of what is drawn while it has some left, by the mean weight of its items."""
        means = {group: self.weights[group] / size for group, size in sorted(self.sizes.items()) if size}
        return shares(means, self.floor) if means else {}

    def drawn(self) -> list[tuple[str, T]]:
        """Return group and value of what is drawn; after each of them the groups are as near to their shares as can be.

        What a group has too little of is drawn from the others, in the proportion of their shares.
        """
        left = {group: sorted(entries) for group, entries in sorted(self._first.items()) if entries}
        wanted, taken = self.shares, dict.fromkeys(left, 0)
        chosen: list[tuple[str, T]] = []
        while left and len(chosen) < self.count:
            group = min(left, key=lambda name: (taken[name] + 1) / wanted[name])
            taken[group] += 1
            chosen.append((group, left[group].pop()[3]))
            if not left[group]:
                del left[group]
        return chosen
