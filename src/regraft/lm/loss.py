"""Token losses in nats without ever holding the logits of a whole batch.

Shapes: B sequences, T tokens each, N = B x T, H hidden size, V vocabulary. Labels are shifted already: `labels[b, t]`
is the token that follows `input_ids[b, t]` in the same document, and `IGNORED` where there is none.

Several documents share a row when `position_ids` start again at 0 with each. Transformers derives the mask between
them from the positions only if no attention mask is given and no cache is kept; in any other call, the default one
included, documents see each other without a word. `leak_self_test` shows whether a model keeps to that.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from regraft.core import ConfigError, RegraftError
from regraft.lm.batches import Piece, plan_batches
from regraft.lm.cross_entropy import CHUNK_TOKENS, IGNORED, summed_loss, token_losses
from regraft.lm.load import context_length
from regraft.lm.logit_scale import logit_scale
from regraft.lm.loss_store import LossStore

Precision = Literal["float32", "bfloat16"]
"""Of the matrix products; bfloat16 runs under autocast. Losses are always in fp32."""


def sequence_loss(
    model: PreTrainedModel,
    input_ids: Tensor,
    position_ids: Tensor,
    labels: Tensor,
    *,
    chunk_tokens: int = CHUNK_TOKENS,
) -> Tensor:
    """Return the summed loss in fp32 nats of (B, T) packed sequences, in which no document sees another.

    `position_ids` start again at 0 with each document; `labels` are shifted already. Works inside autocast: the matrix
    products follow it, the loss is in fp32.

    Raises:
        ConfigError: the model changes its logits in a way that is not known here.
    """
    hidden = _hidden(model, input_ids, position_ids).flatten(0, 1)  # (N, H)
    return summed_loss(labels=labels.flatten(), chunk_tokens=chunk_tokens, **_head(model, hidden))


def position_losses(
    model: PreTrainedModel,
    input_ids: Tensor,
    position_ids: Tensor,
    labels: Tensor,
    *,
    chunk_tokens: int = CHUNK_TOKENS,
) -> Tensor:
    """Return the loss of each position of (B, T) packed sequences in fp32 nats; see `sequence_loss`."""
    hidden = _hidden(model, input_ids, position_ids).flatten(0, 1)  # (N, H)
    losses = token_losses(labels=labels.flatten(), chunk_tokens=chunk_tokens, **_head(model, hidden))
    return losses.view_as(labels)  # (B, T)


class CausalLoss(torch.nn.Module):
    """A model and its loss as one module, so that what wraps it (DDP, FSDP2) sees the whole forward pass."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        check_logits(model)
        self.model = model

    def forward(self, input_ids: Tensor, position_ids: Tensor, labels: Tensor, scored: Tensor | None = None) -> Tensor:
        """Return the summed loss in fp32 nats of (B, T) packed sequences; see `sequence_loss`.

        Args:
            input_ids: (B, T).
            position_ids: (B, T).
            labels: (B, T), or (S,) where `scored` is given.
            scored: (S,) places in the flattened sequences; the head is applied there only, and the loss of each, (S,),
                is returned instead of the sum.
        """
        hidden = _hidden(self.model, input_ids, position_ids).flatten(0, 1)  # (N, H)
        if scored is not None:
            return token_losses(labels=labels, **_head(self.model, hidden[scored]))
        return summed_loss(labels=labels.flatten(), **_head(self.model, hidden))


@torch.no_grad()
def document_losses(
    model: PreTrainedModel,
    documents: Sequence[Sequence[int]],
    *,
    batch_tokens: int = 8192,
    window: int = 2048,
    precision: Precision = "float32",
    advance: Callable[[float], object] | None = None,
    store: LossStore | None = None,
) -> list[float]:
    """Return the summed loss in nats of the tokens 1.. of each document given those before, in the order given.

    The first token is context only. Documents longer than `window` are scored in windows that overlap by half. How the
    documents fall into batches changes a loss by rounding only (relative 1e-4 in fp32).

    Args:
        model: set to evaluation mode while it scores.
        documents: token ids of each document, begin token included.
        batch_tokens: tokens of a batch, padding included.
        window: tokens read at once, never more than the model's context.
        precision: of the matrix products.
        advance: told after each batch how many more tokens are scored; all batches together score
            `sum(max(len(document) - 1, 0))`.
        store: batches found there are not scored again; needs the same documents and sizes as when they were put.

    Raises:
        ConfigError: a token is outside the vocabulary, or the model scales its logits.
    """
    check_tokens(model, documents)
    lengths = [len(document) for document in documents]
    batches = plan_batches(lengths, batch_tokens=batch_tokens, window=min(window, context_length(model)))
    totals = [0.0] * len(documents)
    objective = CausalLoss(model)
    was_training = model.training
    model.eval()
    try:
        for number, batch in enumerate(batches):
            losses = store.get(number) if store else None
            if losses is None:
                losses = batch_losses(objective, documents, batch, model.device, precision)
                if store:
                    store.put(number, losses)
            for piece, loss in zip(batch, losses, strict=True):
                totals[piece.document] += loss
            if advance:
                advance(sum(piece.num_scored for piece in batch))
    finally:
        model.train(was_training)
    return totals


@torch.no_grad()
def batch_losses(
    loss: Callable[..., Tensor],
    documents: Sequence[Sequence[int]],
    batch: Sequence[Piece],
    device: torch.device,
    precision: Precision = "float32",
) -> list[float]:
    """Return the summed loss in nats of the scored tokens of each piece of a batch.

    Args:
        loss: a `CausalLoss`, which may be wrapped, in evaluation mode.
        documents: token ids of all documents.
        batch: pieces of them, padded to the longest, which comes first.
        device: of the model.
        precision: of the matrix products.
    """
    width = batch[0].num_inputs
    ids = torch.zeros(len(batch), width, dtype=torch.long)  # (B, T), padded on the right, where no token looks
    labels = torch.full_like(ids, IGNORED)
    for row, piece in enumerate(batch):
        tokens = torch.tensor(documents[piece.document][piece.start : piece.stop])
        ids[row, : piece.num_inputs] = tokens[:-1]
        first = piece.scored_from - piece.start - 1
        labels[row, first : piece.num_inputs] = tokens[first + 1 :]
    positions = torch.arange(width).expand_as(ids)
    places = (labels.flatten() != IGNORED).nonzero().flatten()  # the head is a fifth of the work of a small model
    given = (t.to(device) for t in (ids, positions, labels.flatten()[places], places))
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        losses = loss(*given)
    pieces = losses.double().cpu().split([piece.num_scored for piece in batch])  # rows follow each other
    return [float(piece.sum()) for piece in pieces]


def check_logits(model: PreTrainedModel) -> None:
    """Return if the logits of the model are its head applied to its hidden states, scaled and soft-capped at most.

    Raises:
        ConfigError: they are not, as far as its config and its parts tell; `leak_self_test` finds the rest.
    """
    logit_scale(model)
    if model.base_model is model:
        raise ConfigError(f"{type(model).__name__} has no part without its head; regraft cannot score it.")
    if model.get_output_embeddings() is None:
        raise ConfigError(f"{type(model).__name__} has no output embedding; regraft needs a causal language model.")


def check_tokens(model: PreTrainedModel, documents: Sequence[Sequence[int]]) -> None:
    """Return if the model has an embedding for every token.

    Raises:
        ConfigError: it has not.
    """
    vocabulary = model.config.get_text_config().vocab_size
    for number, document in enumerate(documents):
        if len(document) and not 0 <= min(document) <= max(document) < vocabulary:
            raise ConfigError(
                f"Document {number} has the token {max(document)}, but the model knows 0 to {vocabulary - 1}. "
                "Tokenize with the tokenizer of this model."
            )


@torch.no_grad()
def leak_self_test(
    model: PreTrainedModel,
    *,
    attention: str = "",
    lengths: Sequence[int] = (19, 37, 28),
    tolerance: float = 0.01,
) -> float:
    """Return the largest difference in nats between a token's loss in packed rows and in its document alone.

    Two rows of random documents are scored packed by `position_losses`, and one by one from the model's own logits:
    this shows a leak between documents and a head that is not what `token_losses` takes it for. One row goes through
    the model as in training, too, where it may ask more of the attention, such as dropout. Training calls this at the
    start, before the model is sharded.

    Args:
        model: keeps its attention.
        attention: of the packed rows, a name of Transformers; the model's own if empty. The documents alone are always
            scored with the model's own.
        lengths: tokens of the documents of a row.
        tolerance: not in the paper: rounding gives some 1e-5 nats in fp32, a leak whole nats.

    Raises:
        RegraftError: the difference is larger than `tolerance`, or a loss is not finite.
        NotImplementedError: the model cannot change to `attention`, or not attend with it.
    """
    generator = torch.Generator().manual_seed(0)
    vocabulary = model.config.get_text_config().vocab_size
    documents = [[torch.randint(vocabulary, (n,), generator=generator) for n in lengths] for _ in range(2)]
    rows = [_pack(row) for row in documents]
    packed = [torch.stack(parts).to(model.device) for parts in zip(*rows, strict=True)]
    own, was_training = str(model.config._attn_implementation), model.training
    model.eval()
    try:
        with _attending(model, attention or own):
            found = position_losses(model, packed[0], packed[1], packed[2])
            model.train()
            with torch.random.fork_rng([model.device] if model.device.type == "cuda" else []), torch.no_grad():
                position_losses(model, *(part[:1] for part in packed))
        model.eval()
        alone = torch.stack([torch.cat([_losses_alone(model, d.to(model.device)) for d in row]) for row in documents])
    finally:
        model.train(was_training)
    difference = float((found - alone).abs().max())
    if not bool(alone.isfinite().all()):
        raise RegraftError("The model's losses on random tokens are not finite: its weights are damaged.")
    if not difference <= tolerance:
        raise RegraftError(
            f"Packed documents are scored {difference:.3g} nats a token away from each alone, more than {tolerance}: "
            f"{type(model).__name__} with attention {attention or own!r} does not mask by position "
            "ids, or changes its logits. Use an architecture or attention that does."
        )
    return difference


def set_attention(model: PreTrainedModel, attention: str) -> None:
    """Give a model another attention.

    Raises:
        NotImplementedError: it keeps its own, whatever it is told.
    """
    model.set_attn_implementation(attention)
    if model.config._attn_implementation != attention:
        raise NotImplementedError(f"{type(model).__name__} cannot change its attention to {attention!r}.")


@contextmanager
def _attending(model: PreTrainedModel, attention: str) -> Generator[None]:
    own = str(model.config._attn_implementation)
    set_attention(model, attention)
    try:
        yield
    finally:
        set_attention(model, own)


def _hidden(model: PreTrainedModel, input_ids: Tensor, position_ids: Tensor) -> Tensor:
    check_logits(model)
    return model.base_model(input_ids=input_ids, position_ids=position_ids, use_cache=False).last_hidden_state


def _head(model: PreTrainedModel, hidden: Tensor) -> dict[str, Any]:
    """Return what the logits of hidden states are made of, as arguments of `token_losses` and `summed_loss`."""
    head: Any = model.get_output_embeddings()
    scale, bias = logit_scale(model), getattr(head, "bias", None)
    return {
        "hidden": hidden if scale == 1 else hidden * scale,
        "head_weight": head.weight,
        "head_bias": None if bias is None else bias * scale,
        "softcap": getattr(model.config.get_text_config(), "final_logit_softcapping", None) or 0.0,
    }


def _pack(documents: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    ids = torch.cat(list(documents))
    positions = torch.cat([torch.arange(len(d)) for d in documents])
    labels = torch.cat([F.pad(d[1:], (0, 1), value=IGNORED) for d in documents])
    return ids, positions, labels  # (T,) each


def _losses_alone(model: PreTrainedModel, document: Tensor) -> Tensor:
    logits = model(input_ids=document[None], use_cache=False).logits[0].float()  # (T, V)
    labels = F.pad(document[1:], (0, 1), value=IGNORED)
    return F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none")
