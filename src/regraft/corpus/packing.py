"""Sequences of a fixed length from documents of any length. Pure: knows lengths, not tokens.

Two ways: `concat_and_cut` wastes nothing and cuts documents at sequence borders; `keep_whole` cuts no document that
fits into a sequence and wastes the room that is left over. Both keep the order of the documents, which is the
curriculum: exactly, and to within `window` sequences.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regraft.core import ConfigError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """Sequences as lists of pieces of documents.

    `P` pieces, `S` sequences. Sequence `i` is the pieces `first[i] .. first[i + 1] - 1`; piece `p` is the tokens
    `start[p] .. stop[p] - 1` of document `document[p]`. A sequence may be shorter than `sequence_length`.
    """

    sequence_length: int
    document: Ints  # [P]
    start: Ints  # [P]
    stop: Ints  # [P]
    first: Ints  # [S + 1]

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.first) - 1

    @property
    def waste(self) -> int:
        """Tokens of padding that filling every sequence up would take."""
        return len(self) * self.sequence_length - int((self.stop - self.start).sum())

    @property
    def num_cut(self) -> int:
        """Documents that lie in more than one piece."""
        return int((np.bincount(self.document) > 1).sum()) if len(self.document) else 0

    def pieces(self, sequence: int) -> list[tuple[int, int, int]]:
        """Return the (document, start, stop) of a sequence, in their order."""
        span = slice(self.first[sequence], self.first[sequence + 1])
        return list(zip(self.document[span].tolist(), self.start[span].tolist(), self.stop[span].tolist(), strict=True))


def concat_and_cut(lengths: Sequence[int] | Ints, sequence_length: int) -> Packing:
    """Return the documents laid end to end and cut at every `sequence_length` tokens.

    Each token stands exactly once, in order. All sequences are full but the last.

    Raises:
        ConfigError: a sequence length below 1 or a negative document length.
    """
    sizes = _checked(lengths, sequence_length)
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    borders = np.arange(0, total, sequence_length, dtype=np.int64)
    edges = np.union1d(np.concatenate([borders, [total]]), ends - sizes)
    edges = edges[edges <= total]
    left, right = edges[:-1], edges[1:]
    document = np.searchsorted(ends, left, side="right").astype(np.int64)
    begin = (ends - sizes)[document]
    first = np.concatenate([np.searchsorted(left, borders), [len(left)]]).astype(np.int64)
    return Packing(sequence_length, document, left - begin, right - begin, first)


def keep_whole(lengths: Sequence[int] | Ints, sequence_length: int, window: int = 16) -> Packing:
    """Return sequences in which no document that fits is cut, as question and answer pairs ask for.

    Best fit: a document goes into the fullest of at most `window` open sequences that has room for it; where none has,
    a new one is opened and, beyond `window`, the oldest is closed. A document longer than a sequence is cut at every
    `sequence_length` tokens of its own and counted in `num_cut`.

    Source: YuLan-Mini packs its question and answer data so that no pair is cut (paper_facts 1.6, [Y]); best fit and
    the window are not in the paper.

    Raises:
        ConfigError: a sequence length or window below 1 or a negative document length.
    """
    if window < 1:
        raise ConfigError(f"window is {window}; it counts open sequences and must be at least 1.")
    sizes = _checked(lengths, sequence_length)
    sequences: list[list[tuple[int, int, int]]] = []
    room: list[int] = []
    for document, size in enumerate(sizes.tolist()):
        for start in range(0, size, sequence_length):
            piece = (document, start, min(start + sequence_length, size))
            place = _best_fit(room, piece[2] - piece[1], window)
            if place == len(room):
                sequences.append([])
                room.append(sequence_length)
            sequences[place].append(piece)
            room[place] -= piece[2] - piece[1]
    return _packing(sequences, sequence_length)


def joined(parts: Sequence[Packing], firsts: Sequence[int]) -> Packing:
    """Return the sequences of several packings after each other.

    Args:
        parts: at least one, of one sequence length.
        firsts: number that the first document of each part has in the whole.
    """
    pieces = np.cumsum([0] + [len(part.document) for part in parts], dtype=np.int64)
    first = [part.first[:-1] + before for part, before in zip(parts, pieces, strict=False)]
    return Packing(
        parts[0].sequence_length,
        np.concatenate([part.document + number for part, number in zip(parts, firsts, strict=True)]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.stop for part in parts]),
        np.concatenate([*first, pieces[-1:]]),
    )


def _best_fit(room: list[int], size: int, window: int) -> int:
    """Return the open sequence with the least sufficient room, the oldest of equals; one past the end for a new one."""
    fitting = [i for i in range(max(0, len(room) - window), len(room)) if room[i] >= size]
    return min(fitting, key=room.__getitem__, default=len(room))


def _packing(sequences: list[list[tuple[int, int, int]]], sequence_length: int) -> Packing:
    pieces = np.array([piece for sequence in sequences for piece in sequence], dtype=np.int64).reshape(-1, 3)
    first = np.cumsum([0] + [len(sequence) for sequence in sequences], dtype=np.int64)
    return Packing(sequence_length, pieces[:, 0], pieces[:, 1], pieces[:, 2], first)


def _checked(lengths: Sequence[int] | Ints, sequence_length: int) -> Ints:
    if sequence_length < 1:
        raise ConfigError(f"sequence_length is {sequence_length}; it counts tokens and must be at least 1.")
    sizes = np.asarray(lengths, dtype=np.int64)
    if (sizes < 0).any():
        raise ConfigError(f"document {int(np.argmax(sizes < 0))} has the length {sizes.min()}; lengths count tokens.")
    return sizes
