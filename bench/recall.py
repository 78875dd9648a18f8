"""Which planted pairs are found, by their similarity, beside what the theory of MinHash promises."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from pathlib import Path

import numpy as np

from bench.found import artifact, ids_of
from bench.results import Table
from bench.similarity import chance_to_meet
from regraft.core import Store
from regraft.corpus import tables
from regraft.curation.duplicates.dedup import DedupConfig
from regraft.curation.duplicates.minhash import SignShard

EDGES = (0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.01)
"""Of the bins of similarity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A document and its planted copy."""

    original: str
    copy: str
    kind: str
    language: str
    jaccard: float


def planted(corpus: Path) -> list[Planted]:
    """Return the planted pairs of a corpus."""
    return [Planted(**json.loads(line)) for line in (corpus / "planted.jsonl").read_text("utf-8").splitlines()]


def recall_table(title: str, pairs: Sequence[Planted], found: Mapping[str, Callable[[Planted], bool]]) -> Table:
    """Return the share of the pairs that each test finds, by similarity; the theory with its standard error."""
    rows: list[list[object]] = []
    for low, high in pairwise(EDGES):
        inside = [pair for pair in pairs if low <= pair.jaccard < high]
        if not inside:
            continue
        chances = np.array([chance_to_meet(pair.jaccard) for pair in inside])
        error = sqrt(float((chances * (1 - chances)).sum())) / len(inside)
        shares = [sum(map(test, inside)) / len(inside) for test in found.values()]
        shown = [f"{share:.4f}" for share in shares]
        rows.append([f"{low:.2f} - {min(high, 1):.2f}", len(inside), *shown, f"{chances.mean():.4f} ± {error:.4f}"])
    return Table(title=title, header=("true Jaccard", "pairs", *found, "theory"), rows=rows)


def meeting(store: Store, scratch: Path) -> Callable[[Planted], bool]:
    """Return a test whether the signatures of a pair share a band: what regraft compares at all."""
    corpus = artifact(store, "texts")
    config = DedupConfig()
    bands: list[np.ndarray] = []
    for path in tables.shards(corpus.path, tables.DOCUMENTS_FOLDER):
        folder = scratch / path.stem
        folder.mkdir(parents=True, exist_ok=True)
        SignShard(config.bands, config.rows)(path, folder)
        bands.append(np.load(folder / "bands.npy"))
    hashes = np.concatenate(bands, axis=1)
    number = {id_: n for n, id_ in enumerate(ids_of(corpus).values())}
    return lambda pair: bool((hashes[:, number[pair.original]] == hashes[:, number[pair.copy]]).any())
