"""Sequences of a fixed length from documents of any length. Pure: knows lengths, not tokens.

Three ways, which differ in how much they pad, what they cut, and how far they move a document from its place in the
order, which is the curriculum:

* `concat_and_cut` pads nothing, cuts a document at every border of a sequence and keeps the order exactly;
* `keep_whole` cuts no document that fits into a sequence and keeps the order to within a few sequences;
* `best_fit` cuts none either, pads less and keeps the order to within a long run of sequences.

In each, the pieces of one document lie in different sequences and in their order: what was read of a document is always
a part from its start.

`N` documents, `P` pieces of documents, `S` sequences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from regraft.core import ConfigError
from regraft.corpus.placement import Int32s, by_last_piece, fit

Ints = npt.NDArray[np.int64]
LONGEST = 2**30
"""Tokens of a document or a sequence; what is counted inside of them fits into 32 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackingReport:
    """What a packing costs."""

    documents: int
    """With at least one token."""
    tokens: int
    sequences: int
    padding: int
    """Tokens that filling every sequence up takes."""
    cut: int
    """Documents in more than one piece."""
    too_long: int
    """Those of them that are longer than a sequence, which every way has to cut."""


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """Sequences as lists of pieces of documents.

    Sequence `i` is the pieces `first[i] .. first[i + 1] - 1`; piece `p` is the tokens `start[p] .. stop[p] - 1` of
    document `document[p]`. A sequence may be shorter than `sequence_length`.
    """

    sequence_length: int
    document: Int32s  # [P]
    start: Int32s  # [P]
    stop: Int32s  # [P]
    first: Ints  # [S + 1]

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.first) - 1

    @property
    def waste(self) -> int:
        """Tokens of padding that filling every sequence up would take."""
        return len(self) * self.sequence_length - self._num_tokens

    @property
    def num_cut(self) -> int:
        """Documents that lie in more than one piece."""
        return int((np.bincount(self.document) > 1).sum()) if len(self.document) else 0

    def report(self) -> PackingReport:
        """Return what the packing costs."""
        return PackingReport(
            documents=int((self.start == 0).sum()),
            tokens=self._num_tokens,
            sequences=len(self),
            padding=self.waste,
            cut=self.num_cut,
            too_long=len(np.unique(self.document[self.stop > self.sequence_length])),
        )

    def pieces(self, sequence: int) -> list[tuple[int, int, int]]:
        """Return the (document, start, stop) of a sequence, in their order."""
        span = slice(self.first[sequence], self.first[sequence + 1])
        return list(zip(self.document[span].tolist(), self.start[span].tolist(), self.stop[span].tolist(), strict=True))

    @property
    def _num_tokens(self) -> int:
        return int(self.stop.sum(dtype=np.int64) - self.start.sum(dtype=np.int64))


def concat_and_cut(lengths: Sequence[int] | Ints, sequence_length: int) -> Packing:
    """Return the documents laid end to end and cut at every `sequence_length` tokens.

    Each token stands exactly once, in order. All sequences are full but the last.

    Raises:
        ConfigError: a length that counts no tokens or too many.
    """
    sizes = _checked(lengths, sequence_length)
    offset = ((np.cumsum(sizes, dtype=np.int64) - sizes) % sequence_length).astype(np.int32)
    document, start, stop = _cut(sizes, offset, sequence_length)
    begins = np.flatnonzero((start > 0) | (offset[document] == 0))
    return Packing(sequence_length, document, start, stop, np.append(begins, len(document)))


def keep_whole(lengths: Sequence[int] | Ints, sequence_length: int, window: int = 16) -> Packing:
    """Return sequences in which no document that fits is cut, as question and answer pairs ask for.

    A document goes into the fullest of at most `window` open sequences that has room for it; where none has, a new one
    is opened and, beyond `window`, the oldest is closed. A document longer than a sequence is cut at every
    `sequence_length` tokens of its own; its last piece opens a sequence.

    Source: YuLan-Mini packs its question and answer data so that no pair is cut (paper_facts 1.6, [Y]); best fit and
    the window are not in the paper.

    Raises:
        ConfigError: a window below 1, or a length that counts no tokens or too many.
    """
    sizes = _checked(lengths, sequence_length, window)
    document, start, stop = _cut(sizes, np.zeros_like(sizes), sequence_length)
    size = stop - start
    asked = np.where(start > 0, np.int32(sequence_length), size)  # no sequence that is open lies behind the last piece
    return _grouped(sequence_length, document, start, stop, fit(size, asked, sequence_length, window))


def best_fit(lengths: Sequence[int] | Ints, sequence_length: int, window: int = 1_024) -> Packing:
    """Return sequences that are almost full and in which no document that fits is cut.

    The documents are taken in runs of `window * sequence_length` tokens. Each run is packed by itself, its longest
    pieces first, each into the fullest sequence that has room for it; no document leaves its run. Sequences stand in
    the order of their last pieces. A document longer than a sequence is cut at every `sequence_length` tokens.

    Source: best-fit decreasing of Fewer Truncations, arXiv:2404.10830 [A], where it goes over all documents and gives
    up their order. The runs, which bound how far a document moves, are not in that paper.

    Raises:
        ConfigError: a window below 1, or a length that counts no tokens or too many.
    """
    sizes = _checked(lengths, sequence_length, window)
    run = (np.cumsum(sizes, dtype=np.int64) - sizes) // (window * sequence_length)
    document, start, stop = _cut(sizes, np.zeros_like(sizes), sequence_length)
    borders = np.flatnonzero(np.diff(run[document], prepend=-1, append=-1))
    place = np.empty_like(document)
    opened = 0
    for left, right in pairwise(borders.tolist()):
        size = stop[left:right] - start[left:right]
        longest_first = np.argsort(-size, kind="stable")
        size = size[longest_first]
        in_run = fit(size, size, sequence_length, len(size))
        place[left + longest_first] = in_run + opened
        opened += int(in_run.max()) + 1
    return _grouped(sequence_length, document, start, stop, by_last_piece(place, opened))


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
        np.concatenate([part.document + np.int32(number) for part, number in zip(parts, firsts, strict=True)]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.stop for part in parts]),
        np.concatenate([*first, pieces[-1:]]),
    )


def _cut(sizes: Int32s, offset: Int32s, sequence_length: int) -> tuple[Int32s, Int32s, Int32s]:
    """Return document, start and stop of each piece: document `d` is cut where `offset[d]` before it makes it full."""
    count = np.where(sizes, -(-(offset + sizes) // sequence_length), 0).astype(np.int32)
    document = np.repeat(np.arange(len(sizes), dtype=np.int32), count)
    number = np.arange(len(document), dtype=np.int32) - np.repeat(np.cumsum(count, dtype=np.int32) - count, count)
    start = number * np.int32(sequence_length) - offset[document]
    stop = np.minimum(start + np.int32(sequence_length), sizes[document])
    return document, np.maximum(start, 0, out=start), stop


def _grouped(sequence_length: int, document: Int32s, start: Int32s, stop: Int32s, place: Int32s) -> Packing:
    """Return the sequences to which `place` gives each piece, the pieces of each in their order."""
    order = np.argsort(place, kind="stable")
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(place), dtype=np.int64)])
    return Packing(sequence_length, document[order], start[order], stop[order], first)


def _checked(lengths: Sequence[int] | Ints, sequence_length: int, window: int = 1) -> Int32s:
    if not 1 <= sequence_length <= LONGEST:
        raise ConfigError(f"sequence_length is {sequence_length}; it counts tokens, give 1 to 2^30.")
    if window < 1:
        raise ConfigError(f"window is {window}; it counts sequences and must be at least 1.")
    sizes = np.asarray(lengths, dtype=np.int64)
    wrong = (sizes < 0) | (sizes > LONGEST)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ConfigError(f"document {at} has the length {sizes[at]}; lengths count tokens, 0 to 2^30 of them.")
    return sizes.astype(np.int32)
