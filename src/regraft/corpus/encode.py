"""The work of `tokenize`: texts to ids in batches that survive a crash, then gathered in their final order."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from regraft.core import Artifact, ConfigError, Context, SchemaError
from regraft.corpus import tables
from regraft.corpus.tokens import NO_TOPIC

BATCH = 512
"""Documents a batch: what a crash can cost, and what is in memory at once."""
Ids = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """A tokenized document: what the index says of it, and where its tokens lie in the scratch parts."""

    id: str
    stream: tuple[str, str, str]
    bytes: int
    part: Path
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


def encode_corpus(
    ctx: Context, encoder: Encoder, topics: dict[str, str] | None, sources: tuple[str, ...]
) -> list[Row]:
    """Tokenize the corpus into parts below scratch, skip those that are there already, and return a row a document."""
    path = ctx.input("docs").file(tables.DOCUMENTS_FILE)
    file = pq.ParquetFile(path)
    tables.check(file.schema_arrow.empty_table(), tables.DOCUMENTS, path)
    rows: list[Row] = []
    with ctx.track("tokenize", file.metadata.num_rows, "documents") as ticker:
        for number, batch in enumerate(file.iter_batches(BATCH, columns=["id", "text", "source", "language"])):
            chosen = [row for row in batch.to_pylist() if not sources or row["source"] in sources]
            rows += _encode_batch(ctx.scratch / f"{number:06d}.npy", chosen, encoder, topics)
            ticker.advance(batch.num_rows)
    if len({row.id for row in rows}) != len(rows):
        raise SchemaError(f"{path} holds two documents of one id.")
    return rows


def _encode_batch(
    part: Path, documents: Sequence[dict[str, Any]], encoder: Encoder, topics: dict[str, str] | None
) -> Iterator[Row]:
    lengths_file = part.with_suffix(".lengths.npy")
    if not part.exists():
        encoded = encoder.encode([document["text"] for document in documents])
        _save(lengths_file, np.array([len(ids) for ids in encoded], np.int64))
        _save(part, np.concatenate([np.empty(0, encoder.dtype), *encoded]))
    start = 0
    for document, length in zip(documents, np.load(lengths_file).tolist(), strict=True):
        topic = NO_TOPIC if topics is None else _topic_of(document["id"], topics)
        stream = (document["language"], document["source"], topic)
        yield Row(document["id"], stream, len(document["text"].encode()), part, start, length)
        start += length


def write_tokens(out: Path, rows: Sequence[Row], encoder: Encoder) -> None:
    """Write `tokens.bin` and `index.parquet` with the documents in the order of `rows`."""
    parts = {row.part: np.load(row.part, mmap_mode="r") for row in rows}
    with (out / tables.TOKENS_FILE).open("wb") as file:
        for row in rows:
            file.write(parts[row.part][row.start : row.start + row.length].tobytes())
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


def read_difficulty(annotation: Artifact | None) -> dict[str, float] | None:
    """Return nats a token of each document, None when there is no annotation.

    Source: the paper orders by perplexity (paper_facts 1.5, [N]), of which this is the logarithm.
    """
    if annotation is None:
        return None
    table = tables.read(annotation.file(tables.ANNOTATION_FILE), tables.LOSSES).to_pydict()
    triples = zip(table["id"], table["loss"], table["tokens"], strict=True)
    return {id_: loss / max(tokens, 1) for id_, loss, tokens in triples}


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


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, array)
    part.replace(path)
