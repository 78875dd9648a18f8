"""The work of `tokenize`: texts to ids in batches that survive a crash, then gathered in their final order."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Tokenizer

from regraft.core import Artifact, ConfigError, Context, SchemaError
from regraft.corpus import tables
from regraft.corpus.tokens import NO_TOPIC

BATCH = 256
"""Documents a batch: what a crash can cost, and what is in memory at once."""
Ids = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """A tokenized document: what the index says of it, and where its tokens lie in the scratch file."""

    id: str
    stream: tuple[str, str, str]
    bytes: int
    start: int
    length: int

    @property
    def language(self) -> str:
        return self.stream[0]


@dataclass(frozen=True, slots=True)
class Encoder:
    """A tokenizer with the tokens that open and close a document."""

    tokenizer: Tokenizer
    begin: int | None
    end: int | None

    @staticmethod
    def open(path: Path, begin_token: str, end_token: str, workers: int) -> "Encoder":
        os.environ.setdefault("RAYON_NUM_THREADS", str(workers))  # read by the library when its pool starts
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # "<|endoftext|>" inside a document is text, not the end of it
        return Encoder(tokenizer, _token_id(tokenizer, begin_token, path), _token_id(tokenizer, end_token, path))

    @property
    def vocab_size(self) -> int:
        return max(self.tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    @property
    def dtype(self) -> str:
        return "uint16" if self.vocab_size <= 2**16 else "uint32"

    @property
    def form(self) -> dict[str, Any]:
        """What a reader of the tokens has to know."""
        return {"dtype": self.dtype, "vocab_size": self.vocab_size, "begin": self.begin, "end": self.end}

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """Return the ids of each text, begin and end token included."""
        begin = [] if self.begin is None else [self.begin]
        end = [] if self.end is None else [self.end]
        encodings = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(begin + encoding.ids + end, dtype=self.dtype) for encoding in encodings]


class Log:
    """Tokens of the documents that are done, in corpus order, in two files that only grow.

    Tokens are written before the lengths that announce them, so that what is announced is complete after `kill -9`.
    """

    def __init__(self, folder: Path, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.ids, self.counts = folder / "ids.bin", folder / "lengths.bin"
        for path in (self.ids, self.counts):
            path.touch()
        os.truncate(self.counts, self.counts.stat().st_size // 8 * 8)
        announced = int(self.lengths().sum()) * self.dtype.itemsize
        if self.ids.stat().st_size < announced:  # a power cut may lose the older write
            os.truncate(self.counts, 0)
            announced = 0
        os.truncate(self.ids, announced)

    def lengths(self) -> npt.NDArray[np.int64]:
        return np.fromfile(self.counts, np.int64)

    def append(self, encoded: Sequence[Ids]) -> None:
        for path, data in ((self.ids, list(encoded)), (self.counts, [np.array([len(e) for e in encoded], np.int64)])):
            with path.open("ab") as file:
                file.write(b"".join(array.tobytes() for array in data))

    def tokens(self) -> Ids:
        return np.memmap(self.ids, self.dtype, mode="r")


def encode_corpus(
    ctx: Context, encoder: Encoder, topics: dict[str, str] | None, sources: tuple[str, ...]
) -> tuple[list[Row], Log]:
    """Tokenize the corpus into a log below scratch, from where a crash left it, and return a row a document."""
    log = Log(ctx.scratch, encoder.dtype)
    done = log.lengths().tolist()
    rows: list[Row] = []
    start = 0
    paths = [corpus.file(tables.DOCUMENTS_FILE) for corpus in ctx.inputs["docs"]]
    with ctx.track("tokenize", sum(map(tables.num_rows, paths)), "documents") as ticker:
        for batch, read in _batches(paths, sources):
            if len(rows) + len(batch) > len(done):
                missing = encoder.encode([document["text"] for document in batch[max(0, len(done) - len(rows)) :]])
                log.append(missing)
                done += [len(ids) for ids in missing]
            for document in batch:
                rows.append(_row(document, topics, start, done[len(rows)]))
                start += rows[-1].length
            ticker.advance(read)
    if len({row.id for row in rows}) != len(rows):
        raise SchemaError(f"{[corpus.id for corpus in ctx.inputs['docs']]} hold two documents of one id.")
    return rows, log


def _batches(paths: Sequence[Path], sources: tuple[str, ...]) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Yield the chosen documents of each batch and the number of documents read for them."""
    for path in paths:
        for batch in tables.batches(path, tables.DOCUMENTS, BATCH, ["id", "text", "source", "language"]):
            yield [row for row in batch.to_pylist() if not sources or row["source"] in sources], batch.num_rows


def _row(document: dict[str, Any], topics: dict[str, str] | None, start: int, length: int) -> Row:
    topic = NO_TOPIC if topics is None else _topic_of(document["id"], topics)
    stream = (document["language"], document["source"], topic)
    return Row(document["id"], stream, len(document["text"].encode()), start, length)


def write_tokens(out: Path, rows: Sequence[Row], log: Log) -> None:
    """Write `tokens.bin` and `index.parquet` with the documents in the order of `rows`."""
    tokens = log.tokens()
    with (out / tables.TOKENS_FILE).open("wb") as file:
        for row in rows:
            file.write(tokens[row.start : row.start + row.length].tobytes())
    lengths = np.array([row.length for row in rows], np.int64)
    columns = {
        "id": [row.id for row in rows],
        "language": [row.stream[0] for row in rows],
        "source": [row.stream[1] for row in rows],
        "topic": [row.stream[2] for row in rows],
        "offset": np.cumsum(lengths) - lengths,
        "length": lengths,
        "bytes": [row.bytes for row in rows],
    }
    tables.write(out / tables.INDEX_FILE, pa.table(columns, schema=tables.INDEX), tables.INDEX)


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


def _topic_of(id_: str, topics: dict[str, str]) -> str:
    if id_ not in topics:
        raise SchemaError(f"document {id_} has no topic; label the same corpus that is tokenized.")
    return topics[id_]


def _token_id(tokenizer: Tokenizer, token: str, path: Path) -> int | None:
    if not token:
        return None
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ConfigError(f"{path} has no token {token!r}. Name one of its tokens, or none with an empty string.")
    return found
