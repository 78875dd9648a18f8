"""Causal attention of packed rows on a CPU, which computes no score between two documents.

The kernel of PyTorch takes a mask for packed rows, and computes what it hides too. Here queries go in blocks; a block
looks at the tokens from the start of its first query's document to its own end, so the cost follows the documents.

Legend: B rows, T tokens, H query heads, K key heads (each serves H / K query heads), D size of a head.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

PACKED = "packed"
"""What Transformers calls this attention."""
BLOCK_TOKENS = 128
"""Queries of a block. Not in the paper: it is speed, and blocks of 64 to 256 differ little."""


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    position_ids: Tensor | None = None,
    is_causal: bool | None = None,
    **unknown: Any,
) -> tuple[Tensor, None]:
    """Return what each token gets from itself and those before it in its document, (B, T, H, D), and no weights.

    This is what a model of Transformers calls when its attention is `PACKED`. Products are in the type of autocast
    inside of it; scores are rounded to that type before the softmax, as in the eager attention of Transformers.

    Args:
        module: the layer that asks.
        query: (B, H, T, D).
        key: (B, K, T, D).
        value: (B, K, T, D).
        attention_mask: None.
        dropout: 0.
        scaling: of the scores; `D ** -0.5` if it is not given.
        position_ids: (B, T), from 0 in each document.
        is_causal: True, if it is given.
        unknown: windows, caps, sinks and other ways to attend, all None.

    Raises:
        NotImplementedError: the model attends in a way that is not known here.
    """
    asked = {name: value for name, value in unknown.items() if name in _WAYS_TO_ATTEND and value is not None}
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    others = {"a mask": attention_mask is not None, "dropout": bool(dropout), "tokens that come later": not causal}
    wishes = [*sorted(asked), *(name for name, wished in others.items() if wished)]
    if wishes:
        raise NotImplementedError(
            f"{type(module).__name__} asks for {', '.join(wishes)}, which attention {PACKED!r} has not. "
            "Train with --attention sdpa."
        )
    if position_ids is None or position_ids.shape != (query.shape[0], query.shape[2]):
        raise NotImplementedError(f"{type(module).__name__} does not tell the positions of its tokens.")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return torch.ops.regraft.packed_attention(query, key, value, position_ids, scale), None


def packed_mask(*, local_size: int | None = None, use_vmap: bool = False, **_: Any) -> None:
    """Return no mask: this attention makes its own. Transformers calls it once for each kind of layer of a model.

    Args:
        local_size: of a window or chunk that a token sees.
        use_vmap: whether the model has added a rule of its own to the mask.

    Raises:
        NotImplementedError: a token is to see less, or other tokens, than those before it in its document.
    """
    if local_size is not None or use_vmap:
        what = f"a window of {local_size} tokens" if local_size is not None else "a mask of its own"
        raise NotImplementedError(f"The model asks for {what}, which attention {PACKED!r} has not.")


_WAYS_TO_ATTEND = ("sliding_window", "softcap", "s_aux", "position_bias", "cache")


@dataclass(frozen=True, slots=True)
class _Block:
    """Queries of one row that are next to each other, and the keys that one of them at least may look at."""

    row: int
    start: int
    stop: int
    first_key: int
    bias: Tensor
    """(stop - start, stop - first_key), minus infinity where a query does not look."""

    def queries(self, tensor: Tensor, groups: int) -> Tensor:
        """Return its part of a (B, H, T, D) tensor, (K, H / K x queries, D)."""
        return tensor[self.row, :, self.start : self.stop].reshape(groups, -1, tensor.shape[-1])

    def keys(self, tensor: Tensor) -> Tensor:
        """Return its part of a (B, K, T, D) tensor, (K, keys, D)."""
        return tensor[self.row, :, self.first_key : self.stop]

    def weights(self, query: Tensor, key: Tensor) -> Tensor:
        """Return the attention of its scaled queries to its keys, (K, H / K x queries, keys)."""
        scores = query @ key.transpose(1, 2)
        scores.view(len(query), -1, *self.bias.shape).add_(self.bias)
        return torch.softmax(scores, -1)


def _blocks(position_ids: Tensor, dtype: torch.dtype) -> Generator[_Block]:
    for row, positions in enumerate(position_ids):
        ends = torch.arange(len(positions))
        starts = ends - positions  # of each token's document
        for start in range(0, len(positions), BLOCK_TOKENS):
            stop = min(start + BLOCK_TOKENS, len(positions))
            first_key = int(starts[start])
            keys = ends[first_key:stop]
            seen = (keys >= starts[start:stop, None]) & (keys <= ends[start:stop, None])
            yield _Block(
                row, start, stop, first_key, torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, -torch.inf)
            )


@torch.library.custom_op("regraft::packed_attention", mutates_args=())
def _forward(query: Tensor, key: Tensor, value: Tensor, position_ids: Tensor, scale: float) -> Tensor:
    out = query.new_empty(_output_shape(query))  # (B, T, H, D)
    for block in _blocks(position_ids, query.dtype):
        weights = block.weights(block.queries(query, key.shape[1]) * scale, block.keys(key))
        mixed = weights @ block.keys(value)
        out[block.row, block.start : block.stop] = mixed.view(query.shape[1], -1, query.shape[-1]).transpose(0, 1)
    return out


@_forward.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, position_ids: Tensor, scale: float) -> Tensor:
    return query.new_empty(_output_shape(query))


@torch.library.custom_op("regraft::packed_attention_backward", mutates_args=())
def _backward(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, position_ids: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients by query, key and value; weights are computed again, so that none are kept."""
    gradient = gradient.transpose(1, 2)  # (B, H, T, D)
    of_query = torch.empty_like(query)
    of_key, of_value = (torch.zeros_like(x, dtype=torch.float32) for x in (key, value))  # sums over blocks
    for block in _blocks(position_ids, query.dtype):
        scaled, keys = block.queries(query, key.shape[1]) * scale, block.keys(key)
        given = block.queries(gradient, key.shape[1])
        weights = block.weights(scaled, keys)
        block.keys(of_value).add_(weights.transpose(1, 2) @ given)
        of_weights = given @ block.keys(value).transpose(1, 2)
        of_scores = torch.ops.aten._softmax_backward_data(of_weights, weights, -1, weights.dtype)
        block.keys(of_key).add_(of_scores.transpose(1, 2) @ scaled)
        found = (of_scores @ keys).mul_(scale)
        of_query[block.row, :, block.start : block.stop] = found.view(query.shape[1], -1, query.shape[-1])
    return of_query, of_key.to(key.dtype), of_value.to(value.dtype)


@_backward.register_fake
def _(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, position_ids: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


def _output_shape(query: Tensor) -> tuple[int, int, int, int]:
    rows, heads, tokens, size = query.shape
    return rows, tokens, heads, size


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.scale = inputs
    ctx.save_for_backward(*tensors)


def _differentiate(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    of_query, of_key, of_value = _backward(gradient, *ctx.saved_tensors, ctx.scale)
    return of_query, of_key, of_value, None, None


_forward.register_autograd(_differentiate, setup_context=_keep)
_forward.register_autocast("cpu", torch.bfloat16)
AttentionInterface.register(PACKED, packed_attention)
AttentionMaskInterface.register(PACKED, packed_mask)
