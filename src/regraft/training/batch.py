"""The tensors that a model is fed. Legend: B sequences, T tokens of a sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from regraft.lm.loss import IGNORED
from regraft.mixture.shares import StreamKey
from regraft.training.streams import PackedStream


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some sequences. Labels stand under the token that predicts them: `labels[b, t]` is token `t + 1`."""

    input_ids: torch.Tensor  # (B, T)
    position_ids: torch.Tensor  # (B, T), from 0 in each piece of a document
    labels: torch.Tensor  # (B, T), IGNORED at the end of each piece and in padding
    num_tokens: int
    """Without padding."""

    def split(self, size: int) -> "list[Batch]":
        """Return it in micro-batches of `size` sequences; the count stays that of the whole."""
        parts = zip(self.input_ids.split(size), self.position_ids.split(size), self.labels.split(size), strict=True)
        return [Batch(*part, self.num_tokens) for part in parts]


def num_predicted(streams: Mapping[StreamKey, PackedStream], served: Sequence[tuple[StreamKey, int]]) -> int:
    """Return how many tokens some sequences predict: all but the first of each piece of a document."""
    return sum(stop - start - 1 for key, number in served for _, start, stop in streams[key].pieces(number))


def make_batch(
    streams: Mapping[StreamKey, PackedStream], served: Sequence[tuple[StreamKey, int] | None], sequence_length: int
) -> Batch:
    """Return the tensors of (stream, number) sequences, padded on the right with token 0; None is padding only.

    Padding counts its positions from 0 like a document of its own, so that nothing sees it and it sees nothing.
    """
    shape = (len(served), sequence_length)
    input_ids, position_ids = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    labels = np.full(shape, IGNORED, np.int64)
    num_tokens = 0
    for b, place in enumerate(served):
        at = 0
        for piece in streams[place[0]].tokens(place[1]) if place else ():
            end = at + len(piece)
            input_ids[b, at:end] = piece
            position_ids[b, at:end] = np.arange(len(piece))
            labels[b, at : end - 1] = piece[1:]
            at = end
        position_ids[b, at:] = np.arange(sequence_length - at)
        num_tokens += at
    return Batch(torch.from_numpy(input_ids), torch.from_numpy(position_ids), torch.from_numpy(labels), num_tokens)
