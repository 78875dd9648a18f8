"""Sequences by stream: which tokens sequence *i* of a stream holds, and the tensors that a model is fed.

Legend: B sequences, T tokens of a sequence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from regraft.core import ConfigError
from regraft.corpus.packing import Packing, concat_and_cut, keep_whole
from regraft.corpus.tokens import TokenStore
from regraft.mixture.shares import StreamKey

IGNORED = -100
"""Label of a position that is not predicted."""


@dataclass(frozen=True, slots=True)
class PackedStream:
    """A stream cut into sequences: its documents in curriculum order and the pieces of them that each sequence holds."""

    store: TokenStore
    rows: Sequence[int]
    """Rows of the store's index, in order."""
    packing: Packing

    def __len__(self) -> int:
        return len(self.packing)

    def pieces(self, sequence: int) -> list[tuple[int, int, int]]:
        """Return (row of the index, first token, end) for each piece of a document in a sequence."""
        return [(self.rows[document], start, stop) for document, start, stop in self.packing.pieces(sequence)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of some sequences. Labels stand under the token that predicts them: `labels[t]` is token `t + 1`."""

    input_ids: torch.Tensor  # (B, T)
    position_ids: torch.Tensor  # (B, T), from 0 in each piece of a document
    labels: torch.Tensor  # (B, T), IGNORED at the end of a piece and in padding
    tokens: int
    """Without padding."""

    @property
    def predicted(self) -> int:
        return int((self.labels != IGNORED).sum())


def open_streams(folders: Sequence[Path], sequence_length: int, whole_sources: Sequence[str]) -> dict[StreamKey, PackedStream]:
    """Pack every stream of some TOKENS artifacts.

    Args:
        folders: artifact directories; a stream may occur in one of them only.
        sequence_length: tokens of a sequence.
        whole_sources: sources whose documents are never cut, question-answer pairs for instance.

    Raises:
        ConfigError: a stream occurs twice.
    """
    streams: dict[StreamKey, PackedStream] = {}
    for folder in folders:
        store = TokenStore.open(folder)
        for (language, source, topic), rows in store.streams().items():
            key = StreamKey(language, source, topic)
            if key in streams:
                raise ConfigError(f"The stream {key} is in two of the token artifacts; give the sources different names.")
            lengths = [int(store.lengths[row]) for row in rows]
            pack = keep_whole if source in whole_sources else concat_and_cut
            streams[key] = PackedStream(store, rows, pack(lengths, sequence_length))
    return streams


def make_batch(sequences: Sequence[tuple[PackedStream, int]], sequence_length: int) -> Batch:
    """Return the tensors of some sequences, padded on the right to `sequence_length` with token 0."""
    shape = (len(sequences), sequence_length)
    input_ids = np.zeros(shape, dtype=np.int64)
    position_ids = np.zeros(shape, dtype=np.int64)
    labels = np.full(shape, IGNORED, dtype=np.int64)
    tokens = 0
    for b, (stream, number) in enumerate(sequences):
        at = 0
        for row, start, stop in stream.pieces(number):
            piece = stream.store.document(row)[start:stop]
            end = at + len(piece)
            input_ids[b, at:end] = piece
            position_ids[b, at:end] = np.arange(len(piece))
            labels[b, at : end - 1] = piece[1:]
            at = end
        # Padding counts on from 0 like a document of its own, so that no document can look at it.
        position_ids[b, at:] = np.arange(sequence_length - at)
        tokens += at
    return Batch(torch.from_numpy(input_ids), torch.from_numpy(position_ids), torch.from_numpy(labels), tokens)
