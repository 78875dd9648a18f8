"""What was removed from a corpus of the benchmarks, and whether rightly: by the texts, not by what a tool says."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from backports import zstd

from bench.similarity import grams, jaccard
from regraft.core import Artifact, Store, latest_run, open_artifact
from regraft.corpus import tables

SAMPLE = 20_000
"""Removed documents that are looked at, at most."""


@dataclass(frozen=True, slots=True)
class Removed:
    """The documents that a tool removed."""

    kept_for: Mapping[str, str]
    """Removed document -> the one that stays for it."""

    def one_stays(self, original: str, copy: str) -> bool:
        """Say whether the two are no longer both there; other duplicates of theirs may be the reason."""
        return original in self.kept_for or copy in self.kept_for

    def same_stays(self, original: str, copy: str) -> bool:
        """Say whether the same document stays for both."""
        return self.kept_for.get(original, original) == self.kept_for.get(copy, copy)

    def similarities(self, texts: Mapping[str, str]) -> list[float]:
        """Return the true similarity of removed documents to the ones that stay for them."""
        pairs = sorted(self.kept_for.items())
        chosen = Random(0).sample(pairs, min(SAMPLE, len(pairs)))
        return [jaccard(grams(texts[gone]), grams(texts[kept])) for gone, kept in chosen]


def removed_by_regraft(store: Store) -> Removed:
    """Return what the newest run in a store dropped in the step `deduplicated`."""
    names = ids_of(artifact(store, "texts"))
    table = pq.read_table(artifact(store, "deduplicated").file(tables.DUPLICATES_FILE)).to_pydict()
    return Removed({names[gone]: names[kept] for gone, kept in zip(table["id"], table["kept"], strict=True)})


def removed_by_datatrove(out: Path) -> Removed:
    """Return what datatrove removed, each for the document of its cluster that stays; it compares no two."""
    kept = {row["metadata"].get("minhash_cluster_id", -1): row["id"] for row in rows(out / "kept")}
    return Removed({row["id"]: kept[row["metadata"]["minhash_cluster_id"]] for row in rows(out / "removed")})


def artifact(store: Store, step: str) -> Artifact:
    """Return what the newest run made in a step."""
    record = latest_run(store)
    assert record is not None, f"no finished run in {store.root}"
    return open_artifact(store.path(record.steps[step]))


def ids_of(corpus: Artifact) -> dict[str, str]:
    """Return id in a corpus that regraft has read -> id in the files."""
    columns = tables.read_shards(corpus.path, tables.DOCUMENTS_FOLDER, tables.DOCUMENTS, ["id", "meta"]).to_pydict()
    return {id_: json.loads(meta)["id"] for id_, meta in zip(columns["id"], columns["meta"], strict=True)}


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of the JSON lines in a folder, in order of the files."""
    for path in sorted(folder.glob("*.jsonl.zst")):
        yield from map(json.loads, zstd.decompress(path.read_bytes()).splitlines())


def share_above(similarities: Sequence[float], least: float) -> float:
    """Return the share of similarities of at least `least`."""
    return float(np.mean(np.array(similarities) >= least))
