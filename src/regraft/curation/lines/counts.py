"""Count in how many documents of a source each line is, and find those that too many hold.

Shards are counted one by one and merged by ranges of the key. `K` different keys of a shard, `N` its documents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from regraft.corpus.work import Counts
from regraft.curation.lines.keys import batches, lines_of, name_hash
from regraft.curation.ngrams import Hashes, mixed

if TYPE_CHECKING:
    from regraft.curation.lines.deduplicate import LineConfig

RANGE = 4_000_000
"""Lines that are merged at once: some 300 MB."""
_COUNTED = ("keys", "counts", "rows", "ids")


@dataclass(frozen=True, slots=True)
class CountLines:
    """Counts in how many documents of a shard each line is, and notes the first of them.

    `keys.npy` [K] is sorted; `counts.npy` [K]; `rows.npy` has the first documents of each key, at most as many as may
    keep the line, one key after another; `ids.npy` [N] has a hash of each document's id.
    """

    config: "LineConfig"

    def __call__(self, item: Path, out: Path) -> Counts:
        keys: list[Hashes] = [np.zeros(0, np.uint64)]
        rows: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
        ids: list[int] = []
        for batch in batches(item):
            lines = lines_of(batch, self.config)
            row = len(ids) + np.repeat(np.arange(len(batch)), np.diff(lines.bounds))
            keys.append(lines.keys[lines.prose])
            rows.append(row[lines.prose])
            ids += [name_hash(document.id) for document in batch]
        everything, row = np.concatenate(keys), np.concatenate(rows)
        order = np.lexsort((row, everything))
        everything, row = everything[order], row[order]
        once = np.append(True, (np.diff(everything) != 0) | (np.diff(row) != 0))[: len(row)]  # a line counts once
        everything, row = everything[once], row[once]
        found, first, counts = np.unique(everything, return_index=True, return_counts=True)
        early = np.arange(len(row)) - np.repeat(first, counts) < self.config.max_documents
        np.save(out / "keys.npy", found)
        np.save(out / "counts.npy", counts.astype(np.uint32))
        np.save(out / "rows.npy", row[early].astype(np.uint32))
        np.save(out / "ids.npy", np.array(ids, np.uint64))
        return {"lines": len(everything), "keys": len(found)}


def ranges(total: int) -> dict[str, tuple[int, int]]:
    """Return ranges of keys so that each holds about `RANGE` of `total` lines."""
    count = total // RANGE + 1
    borders = [n * 2**64 // count for n in range(count + 1)]
    return {f"{n:05}": (borders[n], borders[n + 1] - 1) for n in range(count)}


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """Finds the repeated lines of a range of keys, and the documents in which each stays.

    `repeated.npy` has their keys, sorted; `stays.npy` a key for each line and document that keeps it; `top.npy` those
    in most documents: key, documents, and shard and row of the first.
    """

    folders: Sequence[Path]
    max_documents: int
    num_listed: int

    def __call__(self, item: tuple[int, int], out: Path) -> Counts:
        most = self.max_documents
        pieces = [_slice(folder, *item, most) for folder in self.folders]
        keys, counts, early, rows, ids = (np.concatenate(column) for column in zip(*pieces, strict=True))
        shard = np.repeat(np.arange(len(pieces)), [len(piece[0]) for piece in pieces])
        order = np.argsort(keys, kind="stable")  # shards stay in order
        keys, counts, shard, start = keys[order], counts[order], shard[order], (np.cumsum(early) - early)[order]
        found, first, group = np.unique(keys, return_index=True, return_inverse=True)
        before = np.cumsum(counts) - counts
        before -= before[first][group]
        total = np.bincount(group, counts, len(found)).astype(np.int64)
        take = np.where(total[group] > most, np.clip(most - before, 0, counts), 0)  # the first `most` documents keep it
        place = np.repeat(start - np.cumsum(take) + take, take) + np.arange(take.sum())
        repeated = np.flatnonzero(total > most)
        top = repeated[np.lexsort((found[repeated], -total[repeated]))][: self.num_listed]
        np.save(out / "repeated.npy", found[repeated])
        np.save(out / "stays.npy", stay_keys(np.repeat(keys, take), ids[place]))
        np.save(out / "top_keys.npy", found[top])
        np.save(out / "top.npy", np.column_stack([total[top], shard[first[top]], rows[start[first[top]]]]))
        return {"repeated": len(repeated)}


def write_merged(folders: Sequence[Path], out: Path) -> None:
    """Write the keys of all ranges for the workers to map: `repeated.npy` and `stays.npy`, both sorted."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("repeated", "stays"):
        np.save(out / f"{name}.npy", np.sort(np.concatenate([np.load(folder / f"{name}.npy") for folder in folders])))


def stay_keys(keys: Hashes, ids: Hashes) -> Hashes:
    """Return a key for each line and the document that keeps it."""
    return mixed(keys ^ mixed(ids))


def _slice(folder: Path, low: int, high: int, most: int) -> tuple[Any, ...]:
    """Return of a range of keys of a shard: keys, counts, how many first rows each has, and these rows and ids."""
    keys, counts, rows, ids = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in _COUNTED)
    first, last = np.searchsorted(keys, np.array([low, high], np.uint64), side="left")
    last += last < len(keys) and keys[last] == high
    early = np.minimum(counts, most).astype(np.int64)
    start = int(early[:first].sum())
    chosen = np.array(rows[start : start + int(early[first:last].sum())], np.int64)
    return np.array(keys[first:last]), np.array(counts[first:last], np.int64), early[first:last], chosen, ids[chosen]
