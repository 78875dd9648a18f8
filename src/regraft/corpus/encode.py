"""The work of `tokenize`: shards of a corpus to token ids, each by one worker, then gathered in their final order.

`N` documents.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute
from tokenizers import Tokenizer

from regraft.core import Artifact, ConfigError, Context, SchemaError
from regraft.corpus import tables
from regraft.corpus.rows import num_documents
from regraft.corpus.tokens import NO_TOPIC
from regraft.corpus.work import Counts, Done, each

pc: Any = pyarrow.compute  # its functions are made when it is imported, so no checker knows them

BATCH = 256
"""Documents handed to the tokenizer at once."""
COPIED = 64 * 1024**2
"""Bytes of tokens in memory at once when they are gathered."""

_ENCODED = pa.schema(
    [
        ("id", pa.string()),
        ("language", pa.string()),
        ("source", pa.string()),
        ("bytes", pa.int64()),  # of the text
        ("length", pa.int64()),  # tokens
        ("start", pa.int64()),  # first token in the shard
    ]
)


@dataclass(frozen=True, slots=True)
class Encoder:
    """A tokenizer with the tokens that open and close a document."""

    tokenizer: Tokenizer
    vocab_size: int
    begin: int | None
    end: int | None

    @staticmethod
    def open(path: Path, begin_token: str, end_token: str) -> "Encoder":
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # "<|endoftext|>" inside a document is text, not the end of it
        size = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        return Encoder(tokenizer, size, _token_id(tokenizer, begin_token, path), _token_id(tokenizer, end_token, path))

    @property
    def dtype(self) -> str:
        return "uint16" if self.vocab_size <= 2**16 else "uint32"

    @property
    def form(self) -> dict[str, Any]:
        """What a reader of the tokens has to know."""
        return {"dtype": self.dtype, "vocab_size": self.vocab_size, "begin": self.begin, "end": self.end}

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, begin and end token included."""
        begin = [] if self.begin is None else [self.begin]
        end = [] if self.end is None else [self.end]
        encodings = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [[*begin, *encoding.ids, *end] for encoding in encodings]


@dataclass(frozen=True, slots=True)
class EncodeShard:
    """Writes the documents of a shard as `tokens.bin` and `index.parquet`, in their order."""

    tokenizer: Path
    begin_token: str
    end_token: str
    sources: tuple[str, ...]
    threads: int

    def __call__(self, item: Path, out: Path) -> Counts:
        os.environ.setdefault("RAYON_NUM_THREADS", str(self.threads))  # read by the library when its pool starts
        encoder = _encoder(self.tokenizer, self.begin_token, self.end_token)
        start = 0
        with (
            (out / tables.TOKENS_FILE).open("wb") as file,
            pa.OSFile(str(out / tables.INDEX_FILE), "wb") as sink,
            pa.ipc.new_file(sink, _ENCODED) as index,
        ):
            for batch in self._batches(item):
                found = encoder.encode(batch.column("text").to_pylist())
                lengths = np.array([len(ids) for ids in found], np.int64)
                file.write(b"".join(np.array(ids, encoder.dtype).tobytes() for ids in found))
                index.write_batch(_rows(batch, lengths, start + np.cumsum(lengths) - lengths))
                start += int(lengths.sum())
        return {"tokens": start}

    def _batches(self, item: Path) -> Iterator[pa.RecordBatch]:
        """Yield the documents of the sources that are asked for."""
        for batch in tables.batches(item, tables.DOCUMENTS, BATCH, ["id", "text", "source", "language"]):
            chosen = batch.filter(pc.is_in(batch.column("source"), pa.array(self.sources))) if self.sources else batch
            if chosen.num_rows:
                yield chosen


@dataclass(frozen=True, slots=True)
class Encoded:
    """All documents as tokens, in the order of the corpora, and where the tokens lie."""

    index: pa.Table  # [N] `_ENCODED` with the column `topic`
    shard: npt.NDArray[np.int64]  # [N], the number of the file below
    files: list[Path]
    dtype: np.dtype[Any]

    def streams(self) -> dict[tuple[str, str, str], npt.NDArray[np.int64]]:
        """Return the rows of each stream (language, source, topic), streams sorted by name, rows in order."""
        names = [self.index.column(name).to_pylist() for name in ("language", "source", "topic")]
        rows: dict[tuple[str, str, str], list[int]] = {}
        for row, stream in enumerate(zip(*names, strict=True)):
            rows.setdefault(stream, []).append(row)
        return {stream: np.array(rows[stream], np.int64) for stream in sorted(rows)}


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
        dtype=np.dtype(_encoder(tokenizer, *ends).dtype),
    )


def write_tokens(out: Path, encoded: Encoded, order: npt.NDArray[np.int64]) -> None:
    """Write `tokens.bin` and `index.parquet` with the documents in the given order of rows."""
    index = encoded.index.take(pa.array(order))
    lengths, starts = (index.column(name).to_numpy() for name in ("length", "start"))
    with (out / tables.TOKENS_FILE).open("wb") as file:
        for shard, first, count in _runs(encoded.shard[order], starts, lengths):
            _copy(encoded.files[shard], first, count, encoded.dtype.itemsize, file)
    columns = {name: index.column(name) for name in tables.INDEX.names if name != "offset"}
    columns["offset"] = pa.array(np.cumsum(lengths) - lengths)
    tables.write(out / tables.INDEX_FILE, pa.table(columns).select(tables.INDEX.names).cast(tables.INDEX), tables.INDEX)


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


def _copy(path: Path, first: int, count: int, size: int, file: Any) -> None:
    with path.open("rb", buffering=0) as source:
        source.seek(first * size)
        left = count * size
        while left:
            left -= file.write(source.read(min(left, COPIED)))


def _rows(batch: pa.RecordBatch, lengths: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> pa.RecordBatch:
    sizes = pc.cast(pc.binary_length(batch.column("text")), pa.int64())
    named = [batch.column(name) for name in ("id", "language", "source")]
    return pa.RecordBatch.from_arrays([*named, sizes, pa.array(lengths), pa.array(starts)], schema=_ENCODED)


def _index(piece: Done) -> pa.Table:
    with pa.OSFile(str(piece.folder / tables.INDEX_FILE), "rb") as source:
        return pa.ipc.open_file(source).read_all()


@cache
def _encoder(path: Path, begin_token: str, end_token: str) -> Encoder:
    return Encoder.open(path, begin_token, end_token)


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


def read_difficulty(annotation: Artifact | None, measure: str) -> dict[str, float] | None:
    """Return the difficulty in nats a byte or a token of each scored document, None when there is no annotation."""
    if annotation is None:
        return None
    table = tables.read(annotation.file(tables.ANNOTATION_FILE), tables.LOSSES).to_pydict()
    sizes = table["bytes" if measure == "loss_per_byte" else "tokens"]
    return {id_: loss / size for id_, loss, size in zip(table["id"], table["loss"], sizes, strict=True) if size}


def _token_id(tokenizer: Tokenizer, token: str, path: Path) -> int | None:
    if not token:
        return None
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ConfigError(f"{path} has no token {token!r}. Name one of its tokens, or none with an empty string.")
    return found
