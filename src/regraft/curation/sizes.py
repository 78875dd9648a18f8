"""The sizes of documents, measured shard by shard, and their exact totals and quantiles.

Quantiles come from how often each size occurs, which is little, however many documents there are.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from regraft.corpus import tables
from regraft.corpus.encode import Encoder
from regraft.corpus.work import Counts
from regraft.curation.ngrams import hashed_words

MEASURES = ("bytes", "characters", "words", "tokens")
QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9, "largest": 1.0}
SIZES_FILE, HISTOGRAM_FILE = "sizes.parquet", "histogram.parquet"
_BATCH = 256
_HISTOGRAM = pa.schema(
    [
        ("source", pa.string()),
        ("language", pa.string()),
        ("measure", pa.string()),
        ("size", pa.int64()),
        ("documents", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class MeasureShard:
    """Measures the documents of a shard: `sizes.parquet`, and how often each size occurs in `histogram.parquet`."""

    tokenizer: Path | None
    bytes_per_token: float
    threads: int

    def __call__(self, item: Path, out: Path) -> Counts:
        os.environ.setdefault("RAYON_NUM_THREADS", str(self.threads))  # read by the library when its pool starts
        found: list[pa.Table] = []
        for batch in tables.batches(item, tables.DOCUMENTS, _BATCH, ["id", "text", "source", "language"]):
            sizes = self.sizes(batch.column("text").to_pylist())
            found.append(pa.table({name: batch.column(name) for name in ("id", "source", "language")} | sizes))
        table = pa.concat_tables(found) if found else None
        with tables.Writer(out / SIZES_FILE, tables.SIZES) as writer:
            if table is not None:
                writer.write(table.select(tables.SIZES.names).cast(tables.SIZES))
        histograms = [_histogram(table, measure) for measure in MEASURES] if table is not None else []
        tables.write(out / HISTOGRAM_FILE, pa.concat_tables([_HISTOGRAM.empty_table(), *histograms]), _HISTOGRAM)
        return {"documents": 0 if table is None else table.num_rows}

    def sizes(self, texts: list[str]) -> dict[str, list[int]]:
        """Return the sizes of some texts, by measure."""
        num_bytes = [len(text.encode()) for text in texts]
        if self.tokenizer is None:
            tokens = [round(size / self.bytes_per_token) for size in num_bytes]
        else:
            tokens = _encoder(self.tokenizer).encode(texts)[1].tolist()
        words = [len(hashed_words(text).starts) for text in texts]
        return {"bytes": num_bytes, "characters": [*map(len, texts)], "words": words, "tokens": tokens}


def statistics(folders: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield the rows of `tables.STATISTICS`, sorted by source and language."""
    keys = ["source", "language", "measure", "size"]
    parts = [tables.read(folder / HISTOGRAM_FILE, _HISTOGRAM) for folder in folders]
    table = pa.concat_tables(parts).group_by(keys).aggregate([("documents", "sum")])
    groups: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for row in table.sort_by([(key, "ascending") for key in keys]).to_pylist():
        key = (row["source"], row["language"], row["measure"])
        groups.setdefault(key, []).append((row["size"], row["documents_sum"]))
    for source, language in dict.fromkeys((source, language) for source, language, _ in groups):
        for measure in MEASURES:
            sizes, documents = np.array(groups[source, language, measure], np.int64).T
            yield {"source": source, "language": language, "measure": measure, **summary(sizes, documents)}


def summary(sizes: npt.NDArray[np.int64], documents: npt.NDArray[np.int64]) -> dict[str, int]:
    """Return totals and quantiles of sizes in ascending order, each with the number of documents that have it."""
    below = np.cumsum(documents)
    places = np.searchsorted(below, np.ceil(np.array(list(QUANTILES.values())) * below[-1]))
    quantiles = dict(zip(QUANTILES, sizes[places].tolist(), strict=True))
    return {"documents": int(below[-1]), "total": int(sizes @ documents), **quantiles}


def _histogram(table: pa.Table, measure: str) -> pa.Table:
    keys = ["source", "language", measure]
    counted = table.group_by(keys).aggregate([("id", "count")]).to_pydict()
    columns = {
        "source": counted["source"],
        "language": counted["language"],
        "measure": [measure] * len(counted["source"]),
        "size": counted[measure],
        "documents": counted["id_count"],
    }
    return pa.table(columns, schema=_HISTOGRAM)


@cache
def _encoder(path: Path) -> Encoder:
    return Encoder.open(path, "", "")
