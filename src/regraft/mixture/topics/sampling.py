"""A balanced sample of documents: as many of each topic as of any other, and inside it of each source and length."""

import hashlib
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

Cell = tuple[str, str, int]
"""Topic by a cheap classifier (empty where there is none), source, band of length."""

T = TypeVar("T")


@dataclass(slots=True)
class BalancedSample:
    """Chooses documents from a stream; keeps at most `count` ids of each cell."""

    count: int
    seed: int
    bands: Sequence[int]
    """Characters at which a band of length ends and the next begins."""
    _cells: dict[Cell, list[tuple[bytes, str]]] = field(default_factory=dict[Cell, list[tuple[bytes, str]]])

    def add(self, id_: str, topic: str, source: str, characters: int) -> None:
        """Take a document into account."""
        members = self._cells.setdefault((topic, source, bisect_right(self.bands, characters)), [])
        rank = hashlib.sha256(f"{self.seed} seed {id_}".encode()).digest()
        if len(members) < self.count or (rank, id_) < members[-1]:
            insort(members, (rank, id_))
            del members[self.count :]

    def chosen(self) -> list[str]:
        """Return the ids chosen, in an order that documents and seed alone decide; fewer where there are not enough."""
        by_topic: dict[str, dict[str, dict[int, Iterator[str]]]] = {}
        for topic, source, band in sorted(self._cells):
            ids = (id_ for _, id_ in self._cells[topic, source, band])
            by_topic.setdefault(topic, {}).setdefault(source, {})[band] = ids
        topics = (in_turn(in_turn(bands.values()) for bands in sources.values()) for sources in by_topic.values())
        return list(islice(in_turn(topics), self.count))


def in_turn(queues: Iterable[Iterable[T]], accept: Callable[[T], bool] = lambda _: True) -> Iterator[T]:
    """Yield one item of every queue that has some, then a second, and so on; those not accepted are passed over."""
    left = [filter(accept, queue) for queue in queues]
    while left:
        for queue in list(left):
            found = list(islice(queue, 1))
            if found:
                yield found[0]
            else:
                left.remove(queue)
