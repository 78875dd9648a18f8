"""Rows of the embeddings for new tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel


def add_rows(model: PreTrainedModel, pieces: Mapping[int, Sequence[int]]) -> int:
    """Give each new token, by id, the mean of the rows of its old pieces, input and output; return the rows there are.

    Rows that pad the embeddings are used first; a tied output embedding stays tied. Source: mean of pieces, not in the
    paper.
    """
    embedding: Any = model.get_input_embeddings()
    size = max(pieces, default=-1) + 1
    if size > len(embedding.weight):
        model.resize_token_embeddings(size, mean_resizing=False)
    embedding = model.get_input_embeddings()
    head: Any = model.get_output_embeddings()
    _set_means(embedding.weight, pieces)
    if head.weight is not embedding.weight:
        _set_means(head.weight, pieces)
    if getattr(head, "bias", None) is not None:
        _set_means(head.bias, pieces)
    return len(embedding.weight)


@torch.no_grad()
def _set_means(rows: Tensor, pieces: Mapping[int, Sequence[int]]) -> None:
    for token, old in pieces.items():
        rows[token] = rows[list(old)].mean(0)
