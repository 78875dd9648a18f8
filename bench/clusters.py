"""Which documents of the corpus are like each other by themselves, as MinHash sees it: to take them together or not."""

import os
from collections.abc import Sequence

os.environ["DO_NOT_TRACK"] = "true"

import daft.functions as F
import numpy as np
import pyarrow as pa
from daft import col
from daft.recordbatch import RecordBatch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

BANDS, ROWS = 14, 8
BATCH = 1000


def clusters(texts: Sequence[str]) -> list[int]:
    """Return for each text the number of the first one of its cluster; most texts are a cluster of their own."""
    hashes = np.concatenate([signatures(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)])
    edges: list[np.ndarray] = []
    for band in np.split(hashes, BANDS, axis=1):
        _, group = np.unique(band, axis=0, return_inverse=True)
        order = np.argsort(group, kind="stable")
        same = group[order[1:]] == group[order[:-1]]
        edges.append(np.stack([order[1:][same], order[:-1][same]]))
    left, right = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(len(texts), len(texts)))
    labels = connected_components(graph, directed=False)[1]
    _, first = np.unique(labels, return_index=True)
    return first[labels].tolist()


def signatures(texts: Sequence[str]) -> np.ndarray:
    """Return the MinHash of each text: [N, BANDS x ROWS]."""
    spaced = F.regexp_replace(col("text"), r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}])", " $1 ")
    normal = F.normalize(spaced, remove_punct=True, lowercase=True, white_space=True)
    minhash = F.minhash(normal, num_hashes=BANDS * ROWS, ngram_size=5, seed=7, hash_function="xxhash3_64")
    batch = RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})
    made = batch.eval_expression_list([minhash.alias("hashes")]).to_arrow_table().column("hashes")
    return made.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(len(texts), -1)
