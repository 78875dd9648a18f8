"""MinHash: which documents may be near duplicates.

`N` documents, `K` hashes. Signatures are made shard by shard and stay on disk; in memory are, for each document, the
hash of one band at a time and the number of its component.
"""

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from regraft.core import Artifact, Context
from regraft.corpus import tables
from regraft.corpus.engine import col, evaluate
from regraft.corpus.engine import functions as F
from regraft.corpus.rows import num_documents
from regraft.corpus.work import Counts, Done, each
from regraft.curation.duplicates.shingles import SHINGLE

pc: Any = pyarrow.compute  # its functions are made when it is imported, so no checker knows them

BATCH = 512
Signatures = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class SignShard:
    """Writes what is compared of each document of a shard: `signatures.npy`, `bands.npy`, `entries.npy`."""

    bands: int
    rows: int

    def __call__(self, item: Path, out: Path) -> Counts:
        signatures: list[Signatures] = []
        entries: list[npt.NDArray[np.void]] = []
        for batch in tables.batches(item, tables.DOCUMENTS, BATCH, ["id", "text"]):
            found, entry = self._batch(batch)
            signatures.append(found)
            entries.append(entry)
        hashes = np.concatenate(signatures) if signatures else np.empty((0, self.bands * self.rows), np.uint32)
        np.save(out / "signatures.npy", hashes)
        np.save(out / "bands.npy", band_hashes(hashes, self.bands))
        np.save(out / "entries.npy", np.concatenate(entries) if entries else np.empty(0, ENTRY))
        return {"documents": len(hashes)}

    def _batch(self, batch: pa.RecordBatch) -> tuple[Signatures, npt.NDArray[np.void]]:
        texts = batch.column("text")
        minhash = F.minhash(
            col("text"), num_hashes=self.bands * self.rows, ngram_size=SHINGLE, seed=1, hash_function="xxhash3_64"
        )
        columns = {"id": batch.column("id"), "text": normalised(texts)}
        made = evaluate(columns, signature=minhash, digest=F.hash(col("text")), id=F.hash(col("id")))
        flat = made.column("signature").combine_chunks().flatten().to_numpy(zero_copy_only=False)
        entries = np.empty(batch.num_rows, ENTRY)
        entries["id"], entries["digest"] = made.column("id").to_numpy(), made.column("digest").to_numpy()
        entries["length"] = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
        return flat.astype(np.uint32).reshape(batch.num_rows, -1), entries


ENTRY = np.dtype([("id", np.uint64), ("digest", np.uint64), ("length", np.int64)])
"""Hash of the id, hash of the normalised text, characters of the text."""


@dataclass(frozen=True, slots=True)
class Signed:
    """The signatures of the documents of some corpora, on disk, shard by shard in the order of the documents."""

    paths: Sequence[Path]
    """Shards of documents."""
    folders: Sequence[Path]
    first: npt.NDArray[np.int64]
    """Number of the first document of each shard, and the number of all documents."""

    def __len__(self) -> int:
        return int(self.first[-1])

    def entries(self) -> npt.NDArray[np.void]:
        """Return `ENTRY` of every document: [N]."""
        return np.concatenate([np.load(folder / "entries.npy") for folder in self.folders])

    def band(self, band: int) -> npt.NDArray[np.uint64]:
        """Return the hash of one band of every document: [N]."""
        # Copied one by one: a mapped file counts as an open one, of which a process may have some 1,000.
        return np.concatenate([np.array(np.load(folder / "bands.npy", mmap_mode="r")[band]) for folder in self.folders])

    def by_shard(self, numbers: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
        """Yield the shards of some documents (sorted numbers), each with the rows of those that it holds."""
        bounds = np.searchsorted(numbers, self.first)
        for shard, (start, stop) in enumerate(pairwise(bounds)):
            if start < stop:
                yield shard, numbers[start:stop] - self.first[shard]


def sign(corpora: Sequence[Artifact], bands: int, rows: int, ctx: Context) -> Signed:
    """Make the signatures of all documents of some corpora."""
    size = num_documents(*corpora)
    paths = [path for corpus in corpora for path in tables.shards(corpus.path, tables.DOCUMENTS_FOLDER)]
    items = {f"{number:05}": path for number, path in enumerate(paths)}
    done: Mapping[str, Done] = each(SignShard(bands, rows), items, ctx, "minhash", num_documents=size)
    counts = [piece.counts["documents"] for piece in done.values()]
    return Signed(paths, [piece.folder for piece in done.values()], np.cumsum([0, *counts], dtype=np.int64))


def normalised(texts: pa.Array) -> pa.LargeStringArray:
    """Return the texts as signatures see them: NFD, lower case, no punctuation, one space between words: [N].

    The words are those of `ngrams.py`, by which candidates are compared. The engine splits at spaces only: CJK
    characters are set apart, or a Chinese sentence would be one word and Chinese near duplicates would never meet; and
    its own way with punctuation would join "foo.bar" to one word. A text of nothing but punctuation stays as it is.
    """
    apart = F.regexp_replace(col("text"), r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}])|[\p{P}\p{S}]", " $1 ")
    normal = F.normalize(apart, lowercase=True, nfd_unicode=True, white_space=True)
    made = evaluate({"text": _without_ascii_marks(texts)}, normal=normal).column("normal")
    said = made.cast(pa.large_string()).combine_chunks()
    return pc.if_else(pc.equal(said, ""), texts.cast(pa.large_string()), said)


def _without_ascii_marks(texts: pa.Array) -> pa.LargeStringArray:
    """Return the texts with spaces for ASCII punctuation: all bytes at once, ten times as fast as a pattern."""
    given = texts.cast(pa.large_string())
    _, offsets, data = given.buffers()
    spaced = pa.py_buffer((data or b"") and data.to_pybytes().translate(_MARKS_TO_SPACES))
    return pa.LargeStringArray.from_buffers(len(given), offsets, spaced, offset=given.offset)


_MARKS_TO_SPACES = bytes.maketrans(string.punctuation.encode(), b" " * len(string.punctuation))


def band_hashes(signatures: Signatures, bands: int) -> npt.NDArray[np.uint64]:
    """Return the hash of each band of each signature: [bands, N].

    Two bands that differ share a hash with a probability of 2^-64 a pair; nothing is decided on it.
    """
    found = np.full((bands, len(signatures)), 0xCBF29CE484222325, np.uint64)
    for band, columns in enumerate(np.split(signatures, bands, axis=1)):
        for column in columns.T:
            found[band] = (found[band] ^ column) * np.uint64(0x9E3779B97F4A7C15)
            found[band] ^= found[band] >> np.uint64(31)
    return found


def components(signed: Signed, bands: int) -> npt.NDArray[np.int64]:
    """Return the number of the component of each document; two that share a band are in one: [N].

    A pair of Jaccard similarity `s` shares a band of `r` rows with the probability 1 - (1 - s^r)^bands.
    """
    from scipy.sparse import coo_array  # only here: workers, which sign, start faster without
    from scipy.sparse.csgraph import connected_components

    labels = np.arange(len(signed))
    for band in range(bands):
        left, right = labels[_edges(signed.band(band))]
        graph = coo_array((np.ones(len(left), np.bool_), (left, right)), shape=(len(signed), len(signed)))
        labels = connected_components(graph, directed=False)[1].astype(np.int64)[labels]
    return labels


def _edges(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return pairs that tie all documents of one hash together, each to the next: [2, E]."""
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
    return np.stack([order[same], order[same + 1]])


def groups(labels: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Return the members of each component that has more than one, members and components in order."""
    order = np.argsort(labels, kind="stable")
    borders = np.flatnonzero(np.diff(labels[order])) + 1
    return sorted((members for members in np.split(order, borders) if len(members) > 1), key=lambda m: int(m[0]))


def most_alike(signature: Signatures, others: Signatures, count: int) -> list[int]:
    """Return which of the other signatures, at most `count`, share most hashes with one; earlier ones among equals.

    `others` are columns [K, n]: compared hash by hash, many at once, they take a sixth of the time of rows.
    """
    shared = (others == signature[:, np.newaxis]).sum(axis=0, dtype=np.int16)
    return np.argsort(-shared, kind="stable")[:count].tolist()
