"""The tensors that a model is fed. Legend: B sequences, T tokens of a sequence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from regraft.lm.loss import IGNORED
from regraft.training.streams import PackedStream


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some sequences. Labels stand under the token that predicts them: `labels[b, t]` is token `t + 1`."""

    input_ids: torch.Tensor  # (B, T)
    position_ids: torch.Tensor  # (B, T), from 0 in each piece of a document
    labels: torch.Tensor  # (B, T), IGNORED at the end of each piece and in padding
    num_tokens: int
    """Without padding."""
    num_predicted: int

    def split(self, size: int) -> "list[Batch]":
        """Return it in micro-batches of `size` sequences; the counts stay those of the whole."""
        parts = zip(self.input_ids.split(size), self.position_ids.split(size), self.labels.split(size), strict=True)
        return [Batch(*part, self.num_tokens, self.num_predicted) for part in parts]


def make_batch(sequences: Sequence[tuple[PackedStream, int]], sequence_length: int) -> Batch:
    """Return the tensors of (stream, number) sequences, padded on the right with token 0.

    Padding counts its positions from 0 like a document of its own, so that nothing sees it and it sees nothing.
    """
    shape = (len(sequences), sequence_length)
    input_ids, position_ids = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    labels = np.full(shape, IGNORED, np.int64)
    num_tokens = 0
    for b, (stream, number) in enumerate(sequences):
        at = 0
        for row, start, stop in stream.pieces(number):
            piece = stream.store.document(row)[start:stop]
            end = at + len(piece)
            input_ids[b, at:end] = piece
            position_ids[b, at:end] = np.arange(len(piece))
            labels[b, at : end - 1] = piece[1:]
            at = end
        position_ids[b, at:] = np.arange(sequence_length - at)
        num_tokens += at
    num_predicted = int((labels != IGNORED).sum())
    return Batch(
        torch.from_numpy(input_ids),
        torch.from_numpy(position_ids),
        torch.from_numpy(labels),
        num_tokens,
        num_predicted,
    )
