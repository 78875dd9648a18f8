"""Where n-grams of benchmark items occur in a corpus: the search of one shard.

`G` n-grams of the index, `H` hits, `N` documents. The files of the index are mapped, once for all workers of a machine.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from regraft.corpus import tables
from regraft.corpus.work import Counts
from regraft.curation.contamination.index import Split
from regraft.curation.ngrams import PIECE, Hashes, Places, Units, grams, text_offsets

BATCH = 4 * PIECE
"""Characters of documents that are searched at once."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Where n-grams of the index occur."""

    document: Places  # [H]
    gram: Places  # [H]
    start: Places  # [H], characters
    stop: Places  # [H]

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Hits":
        return Hits(self.document[chosen], self.gram[chosen], self.start[chosen], self.stop[chosen])


def find(texts: Sequence[str], split: Split, folder: Path) -> tuple[Hits, Places]:
    """Return the hits in some texts, and the number of units of each text: [N]."""
    known, table, sizes = _index(folder)
    shift = np.uint64(64 - (len(table).bit_length() - 1))
    offsets = text_offsets(texts)
    units = split(texts)
    found = [_find(grams(units.hashes, size), size, units, offsets, known, table, shift) for size in sizes]
    return joined(found), np.diff(np.searchsorted(units.starts, offsets))


def joined(hits: Sequence[Hits]) -> Hits:
    """Return all hits, one after another."""
    empty = [np.zeros(0, np.int64)]
    names = ("document", "gram", "start", "stop")
    return Hits(*(np.concatenate([getattr(hit, name) for hit in hits] or empty) for name in names))


@dataclass(frozen=True, slots=True)
class Scan:
    """Finds the hits of one shard: `hits.npz`, bounded, since what is in too many documents is not looked at."""

    split: Split
    index: Path
    max_documents: int

    def __call__(self, item: Path, out: Path) -> Counts:
        ids: list[str] = []
        sources: list[str] = []
        lengths: list[Places] = []
        found: list[Hits] = []
        for batch in _batches(item):
            hits, num_units = find([row["text"] for row in batch], self.split, self.index)
            found.append(Hits(hits.document + len(ids), hits.gram, hits.start, hits.stop))
            lengths.append(num_units)
            ids += [row["id"] for row in batch]
            sources += [row["source"] for row in batch]
        hits = joined(found)
        pairs = np.unique(np.stack([hits.gram, hits.document]), axis=1)
        gram, documents = np.unique(pairs[0], return_counts=True)
        frequent = np.isin(hits.gram, gram[documents > self.max_documents])
        hits = hits.where(~frequent)
        row, document = np.unique(hits.document, return_inverse=True)
        np.savez(
            out / "hits.npz",
            seen=np.stack([gram, documents]),
            hits=np.stack([document, hits.gram, hits.start, hits.stop]),
            units=np.concatenate([*lengths, np.zeros(0, np.int64)])[row],
            ids=np.array([ids[n] for n in row], np.str_),
            sources=np.array([sources[n] for n in row], np.str_),
        )
        return {"documents": len(ids), "hits": len(hits.gram)}


def _find(
    found: Hashes,
    size: int,
    units: Units,
    offsets: Places,
    known: Hashes,
    table: npt.NDArray[np.bool_],
    shift: np.uint64,
) -> Hits:
    maybe = np.flatnonzero(table[found >> shift])
    gram = np.minimum(np.searchsorted(known, found[maybe]), len(known) - 1)
    sure = known[gram] == found[maybe]
    first, gram = maybe[sure], gram[sure]
    start, stop = units.starts[first], units.stops[first + size - 1]
    document = np.searchsorted(offsets, start, side="right") - 1
    hits = Hits(document, gram, start - offsets[document], stop - offsets[document])
    return hits.where(stop <= offsets[document + 1])  # else it begins in one document and ends in the next


def _batches(path: Path) -> Iterator[list[dict[str, str]]]:
    """Yield the documents of a shard, about `BATCH` characters at once."""
    batch: list[dict[str, str]] = []
    size = 0
    for rows in tables.batches(path, tables.DOCUMENTS, 256, ["id", "text", "source"]):
        for row in rows.to_pylist():
            batch.append(row)
            size += len(row["text"])
            if size >= BATCH:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


@lru_cache(maxsize=1)
def _index(folder: Path) -> tuple[Hashes, npt.NDArray[np.bool_], tuple[int, ...]]:
    mapped = [np.load(folder / name, mmap_mode="r") for name in ("grams.npy", "sieve.npy")]
    return np.asarray(mapped[0]), np.asarray(mapped[1]), tuple(json.loads((folder / "sizes.json").read_text("utf-8")))
