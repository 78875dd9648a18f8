"""Best fit: the sequence that each of some pieces goes to. Pure: knows sizes only."""

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Int32s = npt.NDArray[np.int32]
BLOCK = 2**16
"""Pieces that are Python integers at once."""


def fit(sizes: Int32s, asked: Int32s, sequence_length: int, window: int) -> Int32s:
    """Return the number of the sequence that each piece goes to, in the order of the pieces.

    It is the fullest of the last `window` sequences with as much room as the piece asks for, the oldest of equally full
    ones, and a new one where there is none. Time: O(log window) comparisons a piece.

    Args:
        sizes: of the pieces, from 1 to `sequence_length`.
        asked: room that each asks for, at least its size; `sequence_length` asks for a new sequence.
        sequence_length: room of an empty sequence.
        window: sequences that are open at once.
    """
    places, rooms = array("i"), array("i")
    ready: list[int] = []  # room * 2^32 + number of each open sequence that is not full, in order
    for size, room in _pairs(sizes, asked):
        found = bisect_left(ready, room << 32)
        if found < len(ready):
            place = ready.pop(found) & 0xFFFFFFFF
            rooms[place] -= size
        else:
            place = len(rooms)
            rooms.append(sequence_length - size)
            if place >= window and (closed := rooms[place - window]):
                del ready[bisect_left(ready, closed << 32 | place - window)]
        if left := rooms[place]:
            insort(ready, left << 32 | place)
        places.append(place)
    return np.array(places, np.int32)


def by_last_piece(places: Int32s, num_sequences: int) -> Int32s:
    """Return the places with the sequences numbered in the order of the last piece that lies in each."""
    last, rank = np.empty(num_sequences, np.int64), np.empty(num_sequences, np.int32)
    last[places] = np.arange(len(places))
    rank[np.argsort(last)] = np.arange(num_sequences, dtype=np.int32)
    return rank[places]


def _pairs(a: Int32s, b: Int32s) -> Iterator[tuple[int, int]]:
    for i in range(0, len(a), BLOCK):
        yield from zip(a[i : i + BLOCK].tolist(), b[i : i + BLOCK].tolist(), strict=True)
