"""MinHash: which documents may be near duplicates, and by how much two really are.

`N` documents, `K` hashes. Signatures come from Daft, which splits on spaces only: CJK characters are spaced first, or
Chinese near duplicates would never meet.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from regraft.core import Context, RegraftError
from regraft.corpus.dataflow import col, frame
from regraft.corpus.dataflow import functions as F
from regraft.curation.words import words

SHINGLE = 5
"""Words. Source: arXiv:2406.17557 (FineWeb), 5-grams [R]."""
HASHES = 112
Signatures = npt.NDArray[np.uint32]

_SPACELESS = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}])"


def signatures(paths: Iterable[Path], ids: Sequence[str], ctx: Context) -> Signatures:
    """Return the MinHash signature of every document of some tables, in the order of `ids`: [N, K]."""
    spaced = F.regexp_replace(col("text"), _SPACELESS, " $1 ")
    plain = F.normalize(spaced, remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    hashes = F.minhash(plain, num_hashes=HASHES, ngram_size=SHINGLE, seed=1, hash_function="xxhash3_64")
    row_of = {id_: row for row, id_ in enumerate(ids)}
    found = np.empty((len(ids), HASHES), np.uint32)
    with ctx.track("minhash", len(ids), "documents") as ticker:
        for batch in frame(paths, ctx.execution).select("id", hashes.alias("hashes")).to_arrow_iter():
            rows = [row_of.pop(id_) for id_ in batch.column("id").to_pylist()]
            found[rows] = batch.column("hashes").flatten().to_numpy(zero_copy_only=False).reshape(-1, HASHES)
            ticker.advance(batch.num_rows)
    if row_of:
        raise RegraftError(f"{len(row_of)} documents were lost on the way, {min(row_of)} among them.")
    return found


def components(hashes: Signatures, bands: int, rows: int) -> npt.NDArray[np.int64]:
    """Return the number of the component of each document; two that share all rows of a band are in one: [N].

    A pair of Jaccard similarity `s` shares a band with the probability 1 - (1 - s^rows)^bands.
    """
    everyone = np.arange(len(hashes))
    edges = [np.stack([everyone, everyone])]
    for band in range(bands):
        key = np.ascontiguousarray(hashes[:, band * rows : (band + 1) * rows]).view(f"V{4 * rows}").ravel()
        _, first, group = np.unique(key, return_index=True, return_inverse=True)
        edges.append(np.stack([everyone, first[group]]))
    left, right = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(len(hashes), len(hashes)))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def groups(labels: npt.NDArray[np.int64]) -> list[list[int]]:
    """Return the members of each component that has more than one, members and components in order."""
    order = np.argsort(labels, kind="stable")
    borders = np.flatnonzero(np.diff(labels[order])) + 1
    return sorted(members.tolist() for members in np.split(order, borders) if len(members) > 1)


def shingles(text: str) -> frozenset[str]:
    """Return the word 5-grams of a text, case folded; all its words as one when it has fewer than five."""
    found = words(text.casefold())
    last = max(len(found) - SHINGLE + 1, 1)
    return frozenset(" ".join(found[i : i + SHINGLE]) for i in range(last))


def jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    """Return the share of shingles that both have among those that either has."""
    common = len(left & right)
    return common / (len(left) + len(right) - common)


def most_alike(hashes: Signatures, row: int, others: Sequence[int], count: int) -> list[int]:
    """Return those of the other rows, at most `count`, that share most hashes with a row; earlier ones among equals."""
    shared = (hashes[np.array(others, np.int64)] == hashes[row]).sum(axis=1)
    return [others[n] for n in np.argsort(-shared, kind="stable")[:count]]
