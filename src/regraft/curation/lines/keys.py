"""The lines of documents as 64-bit keys, and which of them may be cut.

A line's key is the hash of its words and its source: among 10^9 different lines a given one shares its key with another
by a chance of 5e-11. `L` lines.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from regraft.corpus.document import Document
from regraft.corpus.rows import read_documents
from regraft.curation.ngrams import PIECE, Hashes, hashed_words, mixed, text_offsets

if TYPE_CHECKING:
    from regraft.curation.lines.deduplicate import LineConfig

BATCH = 4 * PIECE
"""Characters of documents that are looked at at once."""
_FENCE = "```"
_INDENTS = ("    ", "\t")
_STEP = np.uint64(0x9E3779B97F4A7C13)


def split(text: str, config: "LineConfig") -> list[str]:
    """Return the lines or paragraphs of a text; `join` puts them together again."""
    return text.split("\n" if config.unit == "line" else "\n\n")


def join(lines: Sequence[str], config: "LineConfig") -> str:
    """Return the text of which these are the lines or paragraphs."""
    return ("\n" if config.unit == "line" else "\n\n").join(lines)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of some documents, one document after another: [L]."""

    texts: list[str]
    keys: Hashes
    prose: npt.NDArray[np.bool_]
    """Which may be cut at all."""
    bounds: list[int]
    """Lines before each document, and all."""


def lines_of(documents: Sequence[Document], config: "LineConfig") -> Lines:
    """Return the lines of some documents with their keys; those of sources that are not asked for may not be cut."""
    split_up = [split(document.text, config) for document in documents]
    counts = [len(lines) for lines in split_up]
    texts = [line for lines in split_up for line in lines]
    sources = np.array([name_hash(document.source) for document in documents], np.uint64)
    keys, said = _keys(texts)
    chosen = [not config.sources or document.source in config.sources for document in documents]
    prose = np.concatenate([np.zeros(0, np.bool_), *(_prose(lines, config.min_bytes) for lines in split_up)])
    bounds = np.cumsum([0, *counts]).tolist()
    return Lines(texts, mixed(keys ^ np.repeat(sources, counts)), said & prose & np.repeat(chosen, counts), bounds)


def _keys(lines: Sequence[str]) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Return a hash of the words of each line, and whether it has any."""
    units = hashed_words("\n".join(lines), digits_alike=True)
    first = np.searchsorted(units.starts, text_offsets(lines))  # [L + 1], words before each line
    at = np.arange(len(units.starts)) - np.repeat(first[:-1], np.diff(first))
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(mixed(units.hashes + at.astype(np.uint64) * _STEP))))
    return sums[first[1:]] - sums[first[:-1]], np.diff(first) > 0


def _prose(lines: Sequence[str], min_bytes: int) -> npt.NDArray[np.bool_]:
    """Return which lines of a document are long enough and no code: neither between fences nor indented."""
    plain = (len(line.encode()) >= min_bytes and not line.startswith(_INDENTS) for line in lines)
    found = np.fromiter(plain, np.bool_, len(lines))
    opened = len(lines)
    for number in (n for n, line in enumerate(lines) if _FENCE in line):
        found[min(opened, number) : number + 1] = False
        if lines[number].count(_FENCE) % 2:
            opened = number if opened == len(lines) else len(lines)
    found[opened:] = False
    return found


def batches(path: Path) -> Iterator[list[Document]]:
    """Yield the documents of a shard, about `BATCH` characters at once."""
    batch: list[Document] = []
    size = 0
    for document in read_documents(path):
        batch.append(document)
        size += len(document.text)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def name_hash(name: str) -> int:
    """Return 64 bits of a hash of a name."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
