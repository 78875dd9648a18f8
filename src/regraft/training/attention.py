"""The attention that a model trains with, chosen by a test that it keeps the documents of a row apart."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel

from regraft.core import RegraftError
from regraft.lm.load import context_length
from regraft.lm.loss import leak_self_test, set_attention
from regraft.lm.packed_attention import BLOCK_TOKENS, PACKED
from regraft.training.parallel import Ranks


def choose_attention(model: PreTrainedModel, asked: str, ranks: Ranks, log: logging.Logger) -> None:
    """Give a model the attention to train with, once packed rows have the losses of their documents alone.

    Every process calls this before the model is laid out; the first one tests, and all do as it does.

    Args:
        model: its weights whole.
        asked: a name of Transformers, or `auto`: `PACKED` on a CPU, in processes of one thread and for a model that can
            do with it, else its own, which makes use of more threads.
        ranks: the processes.
        log: told what was chosen.

    Raises:
        RegraftError: documents see each other, or the model cannot attend in the way that is asked for.
    """
    own = str(model.config._attn_implementation)
    named = own if asked == "auto" else asked
    leak = None
    if ranks.first and asked == "auto" and ranks.device.type == "cpu" and torch.get_num_threads() == 1:
        try:
            named, leak = PACKED, _leak(model, PACKED)
        except RegraftError as error:
            named = own
            log.info("attention is the model's own: %s", error)
    if ranks.sum([float(named == PACKED)])[0]:  # the first process decides for all
        named = PACKED
    if ranks.first:
        leak = _leak(model, named) if leak is None else leak
        log.info("attention %s; no leak between packed documents: %.1e nats", named, leak)
    with _said_of(model, named):
        set_attention(model, named)


def _leak(model: PreTrainedModel, attention: str) -> float:
    """Return the largest leak in nats; one document of the test does not fit a block of `PACKED`."""
    lengths = (19, min(BLOCK_TOKENS + 22, context_length(model)), 28)
    with _said_of(model, attention):
        return leak_self_test(model, attention=attention, lengths=lengths)


@contextmanager
def _said_of(model: PreTrainedModel, attention: str) -> Generator[None]:
    """Let what Transformers raises about an attention be an error that names model and attention."""
    try:
        yield
    except (ImportError, NotImplementedError, ValueError) as error:
        raise RegraftError(f"{type(model).__name__} cannot train with attention {attention!r}: {error}") from error
