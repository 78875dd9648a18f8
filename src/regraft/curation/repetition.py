"""How repetitive some documents are: what low loss may stand for instead of good text."""

import heapq
import zlib
from collections.abc import Iterable, Mapping
from hashlib import blake2b

import numpy as np

from regraft.corpus.document import Document
from regraft.curation.lines.deduplicate import LineConfig
from regraft.curation.lines.keys import lines_of
from regraft.curation.ngrams import Hashes

PREFIX = 4096
"""Bytes of a document that are compressed: a longer text compresses better for its length alone."""
CLEARLY = 0.1
"""By which share the kept part is smaller when compressed, or by how much its share of repeated lines is higher.

Source: not in the paper.
"""
_LINES = LineConfig()


class Repetition:
    """What was seen of some documents, in numbers: their texts are not held."""

    def __init__(self) -> None:
        self.documents = self._bytes = self._prefixes = self._compressed = 0
        self._keys: list[Hashes] = []

    def add(self, document: Document) -> None:
        """Take note of a document; lines that are short or code do not count as lines (`LineConfig`)."""
        text = document.text.encode()
        self.documents += 1
        self._bytes += len(text)
        self._prefixes += len(text[:PREFIX])
        self._compressed += len(zlib.compress(text[:PREFIX]))
        lines = lines_of([document], _LINES)
        self._keys.append(np.unique(lines.keys[lines.prose]))

    @property
    def mean_bytes(self) -> float | None:
        """Bytes of a document."""
        return _ratio(self._bytes, self.documents)

    @property
    def compression_ratio(self) -> float | None:
        """Compressed bytes / bytes, of the beginnings of documents, each by itself."""
        return _ratio(self._compressed, self._prefixes)

    @property
    def repeated_lines(self) -> float | None:
        """Share of the lines that stand in another of the documents as well, of the same source."""
        counts = np.unique(np.concatenate(self._keys), return_counts=True)[1] if self._keys else np.zeros(0, np.int64)
        return _ratio(int(counts[counts > 1].sum()), int(counts.sum()))

    def figures(self) -> Mapping[str, float | None]:
        """Return what there is to compare; None where there is nothing to measure."""
        return {name: getattr(self, name) for name in ("mean_bytes", "compression_ratio", "repeated_lines")}

    def described(self) -> str:
        """Return the figures in words."""
        return ", ".join(f"{name} {value or 0:.4g}" for name, value in self.figures().items())


def clearly_more(kept: Repetition, dropped: Repetition) -> bool:
    """Return whether `kept` is more repetitive than `dropped`, inside its documents or across them."""
    inside = (kept.compression_ratio or 1.0) < (1 - CLEARLY) * (dropped.compression_ratio or 0.0)
    return inside or (kept.repeated_lines or 0.0) > (dropped.repeated_lines or 0.0) + CLEARLY


def drawn(ids: Iterable[str], count: int) -> set[str]:
    """Return `count` of the ids at random, by their hashes: always the same, whatever order they have."""
    return set(heapq.nsmallest(count, ids, key=lambda id_: blake2b(id_.encode(), digest_size=8).digest()))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
