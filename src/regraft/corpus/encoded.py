"""The work of `tokenize`: all documents of its corpora as tokens, shard by shard, then one file in its final order.

`N` documents.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from regraft.core import Artifact, Context, RegraftError, SchemaError
from regraft.corpus import tables
from regraft.corpus.encode import EncodeShard, encoder_of
from regraft.corpus.rows import num_documents
from regraft.corpus.tokens import NO_TOPIC
from regraft.corpus.work import Done, each

pc: Any = pyarrow.compute  # its functions are made when it is imported, so no checker knows them

COPIED = 64 * 1024**2
"""Bytes of tokens in memory at once when they are gathered."""
STREAM = ("language", "source", "topic")


@dataclass(frozen=True, slots=True)
class Encoded:
    """All documents as tokens, in the order of the corpora, and where the tokens lie."""

    index: pa.Table  # [N] `ENCODED` with the column `topic`
    shard: npt.NDArray[np.int64]  # [N], the number of the file below
    files: list[Path]
    dtype: np.dtype[Any]

    def total(self, column: str) -> int:
        """Return the sum of `length`, in tokens, or of `bytes`."""
        return int(pc.sum(self.index.column(column)).as_py() or 0)

    def streams(self) -> dict[tuple[str, str, str], npt.NDArray[np.int64]]:
        """Return the rows of each stream (language, source, topic), streams sorted by name, rows in order."""
        columns = [self.index.column(name).dictionary_encode().combine_chunks() for name in STREAM]
        codes = [np.asarray(column.indices, np.int64) for column in columns]
        order = np.lexsort(codes[::-1])  # stable: rows of one stream stay in order
        borders = np.flatnonzero(np.any([np.diff(code[order]) != 0 for code in codes], axis=0)) + 1
        rows = [found for found in np.split(order, borders) if len(found)]
        names = [tuple(column[int(found[0])].as_py() for column in columns) for found in rows]
        return dict(sorted(zip(names, rows, strict=True), key=lambda stream: stream[0]))


def encode_corpora(
    ctx: Context, tokenizer: Path, ends: tuple[str, str], topics: Mapping[str, str] | None, sources: tuple[str, ...]
) -> Encoded:
    """Tokenize the corpora, shard by shard, going on from where a crash left it.

    Raises:
        SchemaError: two documents have one id, or one has no topic.
    """
    paths = [path for c in ctx.inputs["docs"] for path in tables.shards(c.path, tables.DOCUMENTS_FOLDER)]
    threads = ctx.execution.workers if len(paths) == 1 else 1
    work = EncodeShard(tokenizer, *ends, sources, threads)
    items = {f"{number:05}": path for number, path in enumerate(paths)}
    done = each(work, items, ctx, "tokenize", num_documents=num_documents(*ctx.inputs["docs"]))
    parts = [_index(piece) for piece in done.values()]
    index = pa.concat_tables(parts)
    if pc.count_distinct(index.column("id")).as_py() != index.num_rows:
        raise SchemaError(f"{[corpus.id for corpus in ctx.inputs['docs']]} hold two documents of one id.")
    return Encoded(
        index=index.append_column("topic", pa.array(_topics(index, topics), pa.string())),
        shard=np.repeat(np.arange(len(parts)), [part.num_rows for part in parts]),
        files=[piece.folder / tables.TOKENS_FILE for piece in done.values()],
        dtype=np.dtype(encoder_of(tokenizer, *ends).dtype),
    )


def write_tokens(
    out: Path, encoded: Encoded, order: npt.NDArray[np.int64], difficulty: Mapping[str, float] | None
) -> int:
    """Write `tokens.bin` and `index.parquet` with the documents in the given order of rows; return the largest token.

    It is -1 where there are no tokens.
    """
    index = encoded.index.take(pa.array(order))
    lengths, starts = (index.column(name).to_numpy() for name in ("length", "start"))
    largest = -1
    with (out / tables.TOKENS_FILE).open("wb") as file:
        for shard, first, count in _runs(encoded.shard[order], starts, lengths):
            largest = max(largest, _copy(encoded.files[shard], first, count, encoded.dtype, file))
    known = difficulty or {}
    columns = {name: index.column(name) for name in tables.INDEX.names if name in index.column_names}
    columns["offset"] = pa.array(np.cumsum(lengths) - lengths)
    columns["difficulty"] = pa.array([known.get(id_, math.nan) for id_ in index.column("id").to_pylist()], pa.float64())
    tables.write(out / tables.INDEX_FILE, pa.table(columns).select(tables.INDEX.names).cast(tables.INDEX), tables.INDEX)
    return largest


def _runs(
    shards: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> Iterator[tuple[int, int, int]]:
    """Yield shard, first token and count of what lies in one piece."""
    if not len(shards):
        return
    breaks = (np.diff(shards) != 0) | (starts[1:] != starts[:-1] + lengths[:-1])
    firsts = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    counts = np.add.reduceat(lengths, firsts)
    yield from zip(shards[firsts].tolist(), starts[firsts].tolist(), counts.tolist(), strict=True)


def _copy(path: Path, first: int, count: int, dtype: np.dtype[Any], file: Any) -> int:
    """Copy `count` tokens from `first` on to a file and return the largest."""
    largest, left = -1, count
    with path.open("rb") as source:
        source.seek(first * dtype.itemsize)
        while len(tokens := np.fromfile(source, dtype, min(left, COPIED // dtype.itemsize))):
            largest = max(largest, int(tokens.max()))
            file.write(tokens.data)
            left -= len(tokens)
    if left:
        raise RegraftError(f"{path} ends {left:,} tokens too early. Delete {path.parent.parent} and run again.")
    return largest


def _index(piece: Done) -> pa.Table:
    with pa.OSFile(str(piece.folder / tables.INDEX_FILE), "rb") as source:
        return pa.ipc.open_file(source).read_all()


def _topics(index: pa.Table, topics: Mapping[str, str] | None) -> Sequence[str]:
    if topics is None:
        return [NO_TOPIC] * index.num_rows
    ids = index.column("id").to_pylist()
    missing = next((id_ for id_ in ids if id_ not in topics), None)
    if missing is not None:
        raise SchemaError(f"document {missing} has no topic; label the same corpus that is tokenized.")
    return [topics[id_] for id_ in ids]


def read_topics(annotation: Artifact | None) -> dict[str, str] | None:
    """Return the topic of each document, None when there is no annotation."""
    if annotation is None:
        return None
    table = tables.read(annotation.file(tables.ANNOTATION_FILE), tables.TOPICS).to_pydict()
    return dict(zip(table["id"], table["topic"], strict=True))
