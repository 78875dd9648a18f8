"""Which candidates truly are near duplicates, and a corpus without them.

`C` candidates: documents that share a band with another one. Their shingles are hashed shard by shard into files, and
read back as they are compared: memory holds the signatures of one cluster and the sets of some of its documents.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from regraft.core import Context
from regraft.corpus import tables
from regraft.corpus.document import Reject, reject_row
from regraft.corpus.rows import ROWS, Tally
from regraft.corpus.work import Counts, each, name_of
from regraft.curation.duplicates.minhash import Signatures, Signed, most_alike
from regraft.curation.duplicates.shingles import jaccard, shingles
from regraft.curation.ngrams import Hashes

pc: Any = pyarrow.compute  # its functions are made when it is imported, so no checker knows them

COMPARED = 16
"""Kept documents of its cluster that a document is compared with at most, those with the most alike signatures first.

Source: not in the paper.
"""
MEMBERS = 20_000
"""Documents of clusters that one worker takes at once."""
FILES = 256
"""Files of shingles that a worker has open; systems allow a process some 1,000, and a large corpus has more shards."""
SETS = 4096
"""Sets of shingles that a worker holds; those of other documents are read again."""
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Found:
    """The documents to drop, in order."""

    dropped: Rows
    """Numbers of the documents."""
    kept: Rows
    """Number of the document that stays for each."""
    similarity: npt.NDArray[np.float64]
    """True Jaccard similarity of the two."""
    exact: npt.NDArray[np.bool_]
    """Whether they have the same words in the same order."""

    def of_shard(self, signed: Signed, shard: int, kept: Sequence[str]) -> tuple[Rows, list[Reject]]:
        """Return the rows to drop of one shard, and why; `kept` are the ids of the documents that stay."""
        start, stop = np.searchsorted(self.dropped, signed.first[shard : shard + 2])
        why = [
            Reject("exact_duplicate", f"of {kept[n]}")
            if self.exact[n]
            else Reject("near_duplicate", f"of {kept[n]}, Jaccard {self.similarity[n]:.3f}")
            for n in range(start, stop)
        ]
        return self.dropped[start:stop] - signed.first[shard], why


@dataclass(frozen=True, slots=True)
class ShingleShard:
    """Writes the shingles of some documents of a shard, back to back, and how many each has."""

    def __call__(self, item: tuple[Path, Rows], out: Path) -> Counts:
        path, rows = item
        first, sizes = 0, list[int]()
        with (out / "shingles.bin").open("wb") as file:
            for batch in tables.batches(path, tables.DOCUMENTS, ROWS, ["text"]):
                start, stop = np.searchsorted(rows, [first, first + batch.num_rows])
                texts = batch.column("text").take(pa.array(rows[start:stop] - first))
                for hashes in shingles(texts.to_pylist()):
                    file.write(hashes.tobytes())
                    sizes.append(len(hashes))
                first += batch.num_rows
        np.save(out / "sizes.npy", np.array(sizes, np.int64))
        return {"documents": len(sizes)}


@dataclass(frozen=True, slots=True)
class Candidates:
    """Members of some clusters, cluster by cluster, best first: longest first, then in the order of the corpora."""

    numbers: Rows  # [C]
    digests: npt.NDArray[np.uint64]  # [C]
    shards: Rows  # [C]
    rows: Rows  # [C], in the shard
    offsets: Rows  # [C], shingles of the shard before those of the member
    sizes: Rows  # [C], shingles
    bounds: Rows  # of the clusters

    def part(self, start: int, stop: int) -> "Candidates":
        """Return the clusters from `start` to `stop`."""
        one, two = self.bounds[start], self.bounds[stop]
        columns: dict[str, Any] = {name: getattr(self, name)[one:two] for name in self.__slots__ if name != "bounds"}
        return Candidates(**columns, bounds=self.bounds[start : stop + 1] - one)


@dataclass(frozen=True, slots=True)
class VerifyClusters:
    """Writes which members of some clusters are to be dropped, and for which."""

    signed: Signed
    shingled: Mapping[int, Path]
    """Folder of the shingles of each shard."""
    min_similarity: float

    def __call__(self, item: Candidates, out: Path) -> Counts:
        signatures, sets = self._signatures(item), _Sets(item, lru_cache(FILES)(self._shingles))
        found: list[tuple[int, int, float, bool]] = []
        for start, stop in pairwise(item.bounds.tolist()):
            for dropped, kept, similarity, exact in duplicates(
                item.digests[start:stop],
                signatures[start:stop],
                lambda n, first=start: sets[first + n],
                self.min_similarity,
            ):
                found.append((int(item.numbers[start + dropped]), int(item.numbers[start + kept]), similarity, exact))
        np.save(out / "found.npy", np.array(found, FOUND))
        return {"dropped": len(found)}

    def _signatures(self, item: Candidates) -> Signatures:
        """Return the signatures of all members: [C, K]. A mapped file counts as an open one, so it is one at a time."""
        shards, which = np.unique(item.shards, return_inverse=True)
        pieces: list[Signatures] = []
        for n, shard in enumerate(shards.tolist()):
            signatures = np.load(self.signed.folders[shard] / "signatures.npy", mmap_mode="r")
            pieces.append(signatures[item.rows[which == n]])
        back = np.argsort(np.argsort(which, kind="stable"), kind="stable")
        return np.concatenate(pieces)[back]

    def _shingles(self, shard: int) -> Hashes:
        """Return all shingles of a shard, mapped."""
        return np.memmap(self.shingled[shard] / "shingles.bin", np.uint64, "r")


FOUND = np.dtype([("dropped", np.int64), ("kept", np.int64), ("similarity", np.float64), ("exact", np.bool_)])


@dataclass(frozen=True, slots=True)
class _Sets:
    """The shingles of a candidate, read when asked for."""

    of: Candidates
    shingles: Callable[[int], Hashes]
    """Those of a shard."""

    def __getitem__(self, n: int) -> Hashes:
        start, size = int(self.of.offsets[n]), int(self.of.sizes[n])
        return np.array(self.shingles(int(self.of.shards[n]))[start : start + size]) if size else np.empty(0, np.uint64)


def duplicates(
    digests: npt.NDArray[np.uint64],
    signatures: npt.NDArray[np.uint32],
    shingles_of: Callable[[int], Hashes],
    min_similarity: float,
) -> list[tuple[int, int, float, bool]]:
    """Return (dropped, kept, similarity, exact) for members of a cluster that truly resemble an earlier, kept one."""
    kept: list[int] = []
    of_kept = np.empty(signatures.T.shape, np.uint32)  # [K, members], filled from the left
    set_of = lru_cache(SETS)(shingles_of)
    met: dict[int, tuple[int, float]] = {}  # digest -> which one stays for it, and how similar that is
    found: list[tuple[int, int, float, bool]] = []
    for number, digest in enumerate(digests.tolist()):
        if digest in met:
            stays, similarity = met[digest]
            found.append((number, stays, similarity, similarity == 1.0 and digests[stays] == digest))
            continue
        own = set_of(number)
        closest_few = most_alike(signatures[number], of_kept[:, : len(kept)], COMPARED) if kept else ()
        alike = [kept[n] for n in closest_few]
        similarity, closest = max(((jaccard(own, set_of(n)), -n) for n in alike), default=(0.0, 0))
        if similarity >= min_similarity:
            found.append((number, -closest, similarity, False))
            met[digest] = (-closest, similarity)
        else:
            of_kept[:, len(kept)] = signatures[number]
            kept.append(number)
            met[digest] = (number, 1.0)
    return found


def verified(
    signed: Signed, entries: npt.NDArray[np.void], clusters: Sequence[Rows], min_similarity: float, ctx: Context
) -> Found:
    """Return which documents truly are duplicates of another one of their cluster."""
    if not clusters:
        return Found(*(np.empty(0, FOUND)[name] for name in ("dropped", "kept", "similarity", "exact")))
    numbers = np.sort(np.concatenate(clusters))
    rows = dict(signed.by_shard(numbers))
    shingled = each(
        ShingleShard(),
        {f"{s:05}": (signed.paths[s], rows[s]) for s in rows},
        ctx,
        "shingles",
        num_documents=len(numbers),
    )
    folders = {int(name): piece.folder for name, piece in shingled.items()}
    candidates = _candidates(signed, entries, clusters, numbers, folders)
    work = VerifyClusters(signed, folders, min_similarity)
    done = each(work, dict(_parts(candidates)), ctx, "verify", unit="parts", num_documents=len(numbers))
    found = np.sort(np.concatenate([np.load(piece.folder / "found.npy") for piece in done.values()]), order="dropped")
    return Found(found["dropped"], found["kept"], found["similarity"], found["exact"])


def _candidates(
    signed: Signed, entries: npt.NDArray[np.void], clusters: Sequence[Rows], numbers: Rows, folders: Mapping[int, Path]
) -> Candidates:
    sizes = np.concatenate([np.load(folder / "sizes.npy") for folder in folders.values()])  # in the order of `numbers`
    starts = [np.cumsum(s) - s for s in (np.load(folder / "sizes.npy") for folder in folders.values())]
    cluster = np.repeat(np.arange(len(clusters)), [len(members) for members in clusters])
    members = np.concatenate(clusters)
    members = members[np.lexsort((members, -entries["length"][members], cluster))]
    places = np.searchsorted(numbers, members)
    shards = np.searchsorted(signed.first, members, side="right") - 1
    return Candidates(
        numbers=members,
        digests=entries["digest"][members],
        shards=shards,
        rows=members - signed.first[shards],
        offsets=np.concatenate(starts)[places],
        sizes=sizes[places],
        bounds=np.cumsum([0, *(len(members) for members in clusters)], dtype=np.int64),
    )


def _parts(candidates: Candidates) -> list[tuple[str, Candidates]]:
    """Cut the clusters into parts of about `MEMBERS` documents."""
    parts: list[tuple[str, Candidates]] = []
    start, last = 0, len(candidates.bounds) - 1
    while start < last:
        stop = int(np.searchsorted(candidates.bounds, candidates.bounds[start] + MEMBERS, side="right")) - 1
        stop = min(max(stop, start + 1), last)
        parts.append((f"{len(parts):05}", candidates.part(start, stop)))
        start = stop
    return parts


@dataclass(frozen=True, slots=True)
class WriteShard:
    """Writes a shard without the rows to drop, which become rejects."""

    stage: str

    def __call__(self, item: tuple[Path, Rows, list[Reject]], out: Path) -> Counts:
        path, rows, why = item
        name, first, tally = f"{name_of(out)}.parquet", 0, Tally()
        with (
            tables.Writer(out / tables.DOCUMENTS_FOLDER / name, tables.DOCUMENTS) as kept,
            tables.Writer(out / tables.REJECTS_FOLDER / name, tables.REJECTS) as rejected,
        ):
            for batch in tables.batches(path, tables.DOCUMENTS, ROWS):
                start, stop = np.searchsorted(rows, [first, first + batch.num_rows])
                stays = np.ones(batch.num_rows, np.bool_)
                stays[rows[start:stop] - first] = False
                left = batch.filter(pa.array(stays))
                kept.write(left)
                dropped = batch.filter(pa.array(~stays)).select(["id", "source", "text"]).to_pylist()
                rejected.write_rows(
                    reject_row(row["id"], row["source"], self.stage, reject, row["text"])
                    for row, reject in zip(dropped, why[start:stop], strict=True)
                )
                tally.update(_counts(left, why[start:stop]))
                first += batch.num_rows
        return tally


def _counts(kept: pa.RecordBatch, why: Sequence[Reject]) -> Tally:
    size = pc.sum(pc.binary_length(kept.column("text"))).as_py() or 0
    tally = Tally({"documents": kept.num_rows, "rejected": len(why), "bytes": size})
    tally.update(f"language.{language or 'unknown'}" for language in kept.column("language").to_pylist())
    tally.update(f"rejected.{reject.reason}" for reject in why)
    return tally


def names_of(signed: Signed, numbers: Rows) -> list[str]:
    """Return the ids of some documents, given by number in any order."""
    wanted, back = np.unique(numbers, return_inverse=True)
    names: list[str] = []
    for shard, rows in signed.by_shard(wanted):
        ids = tables.read(signed.paths[shard], tables.DOCUMENTS, ["id"]).column("id")
        names += ids.take(pa.array(rows)).to_pylist()
    return [names[n] for n in back.tolist()]


def write_duplicates(out: Path, dropped: Sequence[str], kept: Sequence[str], found: Found) -> None:
    """Write `duplicates.parquet`, in the order of the dropped documents."""
    table = pa.table({"id": dropped, "kept": kept, "similarity": found.similarity}, schema=tables.DUPLICATES)
    tables.write(out / tables.DUPLICATES_FILE, table, tables.DUPLICATES)
