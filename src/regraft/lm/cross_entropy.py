"""Cross-entropy of a language model's head without ever holding the logits of a whole batch.

Scoring wants the loss of every position, training only their sum. The gradient of a sum is known as soon as the logits
are, so `summed_loss` takes it in the forward pass, where `token_losses` would compute the logits a second time.

Shapes: N tokens, H hidden size, V vocabulary.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

IGNORED = -100
"""Label of a position that is not scored."""
CHUNK_TOKENS = 512
"""Rows of logits that exist at once, at most."""
CHUNK_LOGITS = 512 * 49_152
"""Logits that exist at once, 100 MB in fp32, on an accelerator twice that; a larger vocabulary has fewer rows. Not in
the paper: it is memory."""
CACHED = 2**19
"""Numbers that are worked on at once on a CPU, 2 MB in fp32, so that they stay in its cache. Not in the paper: it is
speed."""


def token_losses(
    hidden: Tensor,
    head_weight: Tensor,
    labels: Tensor,
    *,
    head_bias: Tensor | None = None,
    softcap: float = 0.0,
    chunk_tokens: int = CHUNK_TOKENS,
) -> Tensor:
    """Return the cross-entropy of each position in fp32 nats, 0 where the label is `IGNORED`; at most one chunk of
    logits exists at any time, in the backward pass too, where each chunk is computed again.

    Args:
        hidden: (N, H), last hidden states.
        head_weight: (V, H), may be tied to the input embedding.
        labels: (N,).
        head_bias: (V,).
        softcap: logits become `softcap * tanh(logits / softcap)`; 0 leaves them.
        chunk_tokens: rows of logits that exist at once, at most; no more than `CHUNK_LOGITS` logits in any case.
    """
    rows = _rows(head_weight, chunk_tokens)
    chunks = zip(hidden.split(rows), labels.split(rows), strict=True)
    losses = [_again_backward(_chunk_losses, h, head_weight, head_bias, softcap, y) for h, y in chunks]
    return torch.cat(losses) if losses else hidden.new_zeros(0, dtype=torch.float32)  # (N,)


def summed_loss(
    hidden: Tensor,
    head_weight: Tensor,
    labels: Tensor,
    *,
    head_bias: Tensor | None = None,
    softcap: float = 0.0,
    chunk_tokens: int = CHUNK_TOKENS,
) -> Tensor:
    """Return the sum of `token_losses`, a scalar, each chunk of logits computed once where gradients are wanted too.

    Inside autocast the products are in its type, as those of a naive loss are; gradients are summed in fp32. A head
    with a bias or a cap goes by way of `token_losses`. The gradient can be taken once, and has none of its own.
    """
    wanted = torch.is_grad_enabled() and (hidden.requires_grad or head_weight.requires_grad)
    if head_bias is not None or softcap or not wanted:
        losses = token_losses(
            hidden, head_weight, labels, head_bias=head_bias, softcap=softcap, chunk_tokens=chunk_tokens
        )
        return losses.sum()
    return _SummedLoss.apply(hidden, head_weight, labels, chunk_tokens)  # type: ignore[no-any-return]


class _SummedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, chunk_tokens: int) -> Tensor:
        dtype = _product_dtype(hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            total, ctx.of_hidden, ctx.of_weight = _loss_and_gradients(
                hidden.to(dtype), weight.to(dtype), labels, _rows(weight, chunk_tokens), ctx.needs_input_grad[:2]
            )
        ctx.dtypes = hidden.dtype, weight.dtype
        return total

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        found, ctx.of_hidden, ctx.of_weight = (ctx.of_hidden, ctx.of_weight), None, None
        scaled = [
            g.mul_(gradients[0]).to(dtype) if g is not None else None
            for g, dtype in zip(found, ctx.dtypes, strict=True)
        ]
        return scaled[0], scaled[1], None, None


def _loss_and_gradients(
    hidden: Tensor, weight: Tensor, labels: Tensor, rows: int, wanted: tuple[bool, bool]
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return the summed loss and its gradients by `hidden` and by `weight`, in fp32, None where it is not wanted."""
    total = hidden.new_zeros((), dtype=torch.float32)
    of_hidden = torch.empty_like(hidden, dtype=torch.float32) if wanted[0] else None
    of_weight = torch.zeros_like(weight, dtype=torch.float32) if wanted[1] else None
    for start in range(0, len(hidden), rows):
        h, y = hidden[start : start + rows], labels[start : start + rows]
        logits = h @ weight.T  # (chunk, V)
        total += _become_gradient(logits, y)
        if of_hidden is not None:
            of_hidden[start : start + rows] = logits @ weight
        if of_weight is not None:
            _add_product(of_weight, logits.T, h)
    return total, of_hidden, of_weight


def _become_gradient(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the summed loss of (chunk, V) logits, which turn into its gradient by themselves."""
    rows = _cached_rows(logits)
    scored = labels != IGNORED
    targets = labels.clamp(min=0)[:, None]  # (chunk, 1)
    parts = zip(logits.split(rows), targets.split(rows), scored.split(rows), strict=True)
    losses = torch.cat([_become_softmax(*part) for part in parts])  # (chunk, 1)
    here = torch.where(scored[:, None], torch.expm1(-losses), 0.0)
    logits.scatter_(1, targets, here.to(logits.dtype))
    return losses[scored].sum()


def _become_softmax(logits: Tensor, targets: Tensor, scored: Tensor) -> Tensor:
    """Return the loss of each row, (rows, 1); the rows turn into their softmax, those not `scored` into zeros.

    By way of `log_softmax`, as in the naive loss: what it rounds is common to a row, and would be told apart from it
    after some steps of AdamW.
    """
    logs = F.log_softmax(logits, 1, dtype=torch.float32)
    losses = -logs.gather(1, targets)
    logits.copy_(logs.exp_().mul_(scored[:, None]))
    return losses


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add a product of matrices to `total`, which is fp32; on a CPU part by part, where theirs is another type."""
    if left.dtype == total.dtype:
        total.addmm_(left, right)
        return
    rows = _cached_rows(total)
    for part, some in zip(total.split(rows), left.split(rows), strict=True):
        part.add_(some @ right)


def _cached_rows(matrix: Tensor) -> int:
    """Return how many rows of a matrix to work on at once: on a CPU those that its cache holds, else all."""
    return max(1, CACHED // matrix.shape[1]) if matrix.device.type == "cpu" else max(1, len(matrix))


def _product_dtype(hidden: Tensor) -> torch.dtype:
    kind = hidden.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype


def _rows(head_weight: Tensor, chunk_tokens: int) -> int:
    return max(1, min(chunk_tokens, CHUNK_LOGITS // len(head_weight)))


def _again_backward(function: Callable[..., Tensor], *given: Any) -> Tensor:
    """Return `function(*given)`; where gradients are wanted, what it holds is computed again in the backward pass."""
    if not torch.is_grad_enabled():
        return function(*given)
    return checkpoint(function, *given, use_reentrant=False, preserve_rng_state=False)


def _chunk_losses(h: Tensor, weight: Tensor, bias: Tensor | None, softcap: float, labels: Tensor) -> Tensor:
    logits = F.linear(h, weight, bias).float()  # (chunk, V)
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    return F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none")
