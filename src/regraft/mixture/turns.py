"""Whose turn it is: the order in which streams serve while their shares stay, with no randomness.

`m` streams in groups and sources, `n` turns so far. A stream's credit is what its share promised so far less what it
served; over a group or a source credits add up. It is *open* while its credit is above zero, and *due* at the turn at
which the credit would reach a whole sequence.

The turn goes to the open group that is due first, of its sources to the open one that is due first, and so to a
stream (earliest deadline first on each level): a language does not wait while many small topics of it are each owed a
little. But when so many streams are due by some turn that each turn up to it is spoken for, only those streams are
asked. Always to ask the stream that is due first would keep every credit within one sequence (windows of credit -1 to 1
are those of proportionate fairness, Baruah et al., "Proportionate progress", Algorithmica 1996, and earliest deadline
first misses none), but lets a group fall behind by many. What the two rules together keep to is measured, not proven:
decision 0020.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

ROUNDING = 1e-9
"""Credit that is no more than rounding."""
SLOT = 1e-6
"""Turns by which a deadline may be off through rounding."""


class Turns:
    """Gives out turns. All follows from shares, credits at the start and counts, so that it can go on anywhere."""

    def __init__(
        self,
        shares: Sequence[float],
        owed: Sequence[float],
        places: Sequence[tuple[str, str]],
        served: Sequence[int] | None = None,
    ) -> None:
        """Begin, or go on after `served`.

        Args:
            shares: [m], positive; they sum to 1.
            owed: [m], credit in sequences before the first turn.
            places: [m], group and source of each stream.
            served: [m], turns that each stream had so far.
        """
        self.served = list(served or [0] * len(shares))
        """[m], turns of each stream."""
        self.taken = sum(self.served)
        self._streams = range(len(shares))
        self._share, self._owed = list(shares), list(owed)
        self._members: dict[int, list[int]] = {}
        """Of each cell, a source or group of several; cells are nodes from `m` on."""
        sources = self._join({(*place, i): i for i, place in enumerate(places)})
        self._top = list(self._join(sources).values())
        self._cells = [[i, *self._above(i)] for i in self._streams]
        """[m], the stream itself and the cells that hold it."""
        self._due, self._opens = [0.0] * len(self._share), [0.0] * len(self._share)
        for node in range(len(self._share)):
            self._date(node)
        self._spare: float = 0

    @property
    def credits(self) -> list[float]:
        """[m], what each stream is owed now."""
        return [self._owed[i] + self.taken * self._share[i] - self.served[i] for i in self._streams]

    def take(self) -> int:
        """Return the stream whose turn it is, and count the turn."""
        self.taken += 1
        if self._spare <= 0:
            self._spare, full = self._look_ahead()
            stream = self._by_level() if self._spare > 0 else self._of_those_due_by(full)
        else:
            stream = self._by_level()
        self._spare -= 1
        self._count(stream)
        return stream

    def _join(self, nodes: Mapping[tuple[Any, ...], int]) -> dict[tuple[Any, ...], int]:
        """Return the nodes of the level above, by name; several nodes of one name become a cell."""
        members: dict[tuple[Any, ...], list[int]] = {}
        for name, node in nodes.items():
            members.setdefault(name[:-1], []).append(node)
        return {name: found[0] if len(found) == 1 else self._add(found) for name, found in members.items()}

    def _add(self, members: list[int]) -> int:
        self._share.append(sum(self._share[node] for node in members))
        self._owed.append(sum(self._owed[node] for node in members))
        self.served.append(sum(self.served[node] for node in members))
        self._members[len(self._share) - 1] = members
        return len(self._share) - 1

    def _above(self, node: int) -> Iterator[int]:
        for cell, members in self._members.items():  # in the order in which they were added: inner ones first
            if node in members:
                node = cell
                yield cell

    def _by_level(self) -> int:
        nodes: Iterable[int] = self._top
        while True:
            node = self._first_due(nodes)
            if node < 0:  # a cell may be open and none of its members
                return self._of_those_due_by(math.inf)
            if node not in self._members:
                return node
            nodes = self._members[node]

    def _first_due(self, nodes: Iterable[int]) -> int:
        """Return the open node that is due first, -1 when none is open."""
        now, due, opens = self.taken, self._due, self._opens
        best, soonest = -1, math.inf
        for node in nodes:
            if due[node] < soonest and opens[node] < now:
                best, soonest = node, due[node]
        return best

    def _look_ahead(self) -> tuple[float, float]:
        """Return how many turns, this one included, may go to any stream, and the deadline up to which all are taken.

        The j-th of all deadlines (from 0) leaves `deadline - now - j` turns to others. Each turn takes one of them at
        most, so nothing need be looked at again before they are used up.
        """
        deadlines = sorted(map(self._deadline, self._streams))
        spare = [deadline - self.taken - j for j, deadline in enumerate(deadlines)]
        full = next((deadline for deadline, left in zip(deadlines, spare, strict=True) if left <= 0), math.inf)
        return min(spare), full

    def _of_those_due_by(self, deadline: float) -> int:
        """Return the open stream with a deadline up to this whose group, source and self are due first."""
        asked = [i for i in self._streams if self._deadline(i) <= deadline]
        open_ = [i for i in asked if self._opens[i] < self.taken]
        return min(open_ or asked, key=lambda i: [self._due[node] for node in reversed(self._cells[i])])

    def _deadline(self, stream: int) -> float:
        """Return the last turn that keeps the credit of a stream below a whole sequence; of tiny shares it is never."""
        due = self._due[stream]
        return math.ceil(due - SLOT) if due < math.inf else due

    def _count(self, stream: int) -> None:
        for node in self._cells[stream]:
            self.served[node] += 1
            self._date(node)

    def _date(self, node: int) -> None:
        beyond = self.served[node] - self._owed[node]
        self._due[node] = (beyond + 1) / self._share[node]
        self._opens[node] = (beyond + ROUNDING) / self._share[node]
