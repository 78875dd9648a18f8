"""Texts as token ids: the tokenizer, and a shard of a corpus tokenized by one worker."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute
from tokenizers import Tokenizer

from regraft.core import ConfigError
from regraft.corpus import tables
from regraft.corpus.work import Counts

pc: Any = pyarrow.compute  # its functions are made when it is imported, so no checker knows them

BATCH = 256
"""Documents handed to the tokenizer at once."""
ENCODED = pa.schema(
    [
        ("id", pa.string()),
        ("language", pa.string()),
        ("source", pa.string()),
        ("bytes", pa.int64()),  # of the text
        ("length", pa.int64()),  # tokens
        ("start", pa.int64()),  # first token in the shard
    ]
)
"""Where the documents of a shard lie in its `tokens.bin`."""


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

    def encode(self, texts: Sequence[str]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Return the ids of all texts in a row, begin and end tokens included, and how many belong to each text."""
        found = [e.ids for e in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        first, last = self.begin is not None, self.end is not None
        lengths = np.array([first + len(ids) + last for ids in found], np.int64)
        tokens = np.empty(lengths.sum(), self.dtype)
        for ids, start, stop in zip(found, np.cumsum(lengths) - lengths, np.cumsum(lengths), strict=True):
            if first:
                tokens[start] = self.begin
            if last:
                tokens[stop - 1] = self.end
            tokens[start + first : stop - last] = ids
        return tokens, lengths


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
        encoder = encoder_of(self.tokenizer, self.begin_token, self.end_token)
        start = 0
        with (
            (out / tables.TOKENS_FILE).open("wb") as file,
            pa.OSFile(str(out / tables.INDEX_FILE), "wb") as sink,
            pa.ipc.new_file(sink, ENCODED) as index,
        ):
            for batch in self._batches(item):
                tokens, lengths = encoder.encode(batch.column("text").to_pylist())
                file.write(tokens.data)
                index.write_batch(_rows(batch, lengths, start + np.cumsum(lengths) - lengths))
                start += len(tokens)
        return {"tokens": start}

    def _batches(self, item: Path) -> Iterator[pa.RecordBatch]:
        """Yield the documents of the sources that are asked for."""
        for batch in tables.batches(item, tables.DOCUMENTS, BATCH, ["id", "text", "source", "language"]):
            chosen = batch.filter(pc.is_in(batch.column("source"), pa.array(self.sources))) if self.sources else batch
            if chosen.num_rows:
                yield chosen


def _rows(batch: pa.RecordBatch, lengths: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> pa.RecordBatch:
    sizes = pc.cast(pc.binary_length(batch.column("text")), pa.int64())
    named = [batch.column(name) for name in ("id", "language", "source")]
    return pa.RecordBatch.from_arrays([*named, sizes, pa.array(lengths), pa.array(starts)], schema=ENCODED)


@cache
def encoder_of(path: Path, begin_token: str, end_token: str) -> Encoder:
    """Return the encoder that `Encoder.open` opens, opened once in a process."""
    return Encoder.open(path, begin_token, end_token)


def _token_id(tokenizer: Tokenizer, token: str, path: Path) -> int | None:
    if not token:
        return None
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ConfigError(f"{path} has no token {token!r}. Name one of its tokens, or none with an empty string.")
    return found
