"""What scoring holds beyond the weights: some rows of logits, however many tokens there are."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from regraft.core.provenance import peak_memory_bytes, reset_peak_memory
from regraft.lm.cross_entropy import CHUNK_LOGITS, summed_loss, token_losses
from regraft.lm.loss import document_losses

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak cannot be reset here")

VOCABULARIES = (8_000, 128_256)
LENGTH = 513
BATCH_TOKENS = 2560
FIVE_CHUNKS = [[i + 7 * n for i in range(LENGTH)] for n in range(5)]
"""Documents of which each fills a chunk of logits; all of them fill one batch."""
CHUNK_BYTES = 64 * 2**20
SLACK = 80 * 2**20
"""For hidden states and what the allocator keeps."""


def model_of(vocabulary: int) -> PreTrainedModel:
    """Return a model that is hardly more than its embedding."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=LENGTH,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).eval()


def plain_losses(model: PreTrainedModel, documents: Sequence[Sequence[int]]) -> list[float]:
    """Return the losses as a Transformers loop over padded batches has them: with all logits of a batch."""
    ids = torch.tensor(documents)
    with torch.no_grad():
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits  # (B, T, V)
        losses = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    return losses.view(len(documents), -1).sum(1).tolist()


def extra_memory(score: Callable[[], Any]) -> int:
    """Return the bytes by which the process grew at most while it scored."""
    reset_peak_memory()
    before = peak_memory_bytes()
    score()
    return peak_memory_bytes() - before


def logit_bytes(vocabulary: int, tokens: int) -> int:
    return tokens * vocabulary * 4


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_scoring_holds_the_logits_of_one_chunk_and_a_plain_loop_those_of_all(vocabulary: int) -> None:
    model = model_of(vocabulary)
    document_losses(model, [FIVE_CHUNKS[0][:9]])  # what is loaded once does not count
    losses: dict[str, list[float]] = {}

    def chunked() -> None:
        losses["chunked"] = document_losses(model, FIVE_CHUNKS, batch_tokens=BATCH_TOKENS)

    def plain() -> None:
        losses["plain"] = plain_losses(model, FIVE_CHUNKS)

    bound = 2 * CHUNK_LOGITS * 4 + SLACK  # the logits of a chunk, and their softmax: the same for any vocabulary
    assert extra_memory(chunked) < bound
    if vocabulary == max(VOCABULARIES):
        assert extra_memory(plain) > 2 * bound, "else the bound would say nothing"
    else:
        plain()
    assert losses["chunked"] == pytest.approx(losses["plain"], rel=1e-4)


def test_chunks_of_one_size_cost_the_same_in_any_vocabulary() -> None:
    """The sizes lie above 32 MB, below which the allocator may keep what was freed."""
    extra: list[int] = []
    for vocabulary in VOCABULARIES:
        hidden, head = torch.randn(4096, 16), torch.randn(vocabulary, 16)
        labels = torch.arange(len(hidden))
        rows = CHUNK_BYTES // logit_bytes(vocabulary, 1)
        with torch.no_grad():
            score = partial(token_losses, hidden, head, labels, chunk_tokens=rows)
            extra.append(extra_memory(score))
    small, large = extra
    assert large == pytest.approx(small, abs=CHUNK_BYTES / 2)
    assert max(extra) < 3 * CHUNK_BYTES, "of 2 GB of logits in the larger vocabulary"


def test_training_with_a_large_vocabulary_adds_a_quarter_of_what_all_logits_add() -> None:
    hidden = torch.randn(2048, 64).requires_grad_()
    head = torch.randn(max(VOCABULARIES), 64).requires_grad_()
    labels = torch.arange(len(hidden))

    def chunked() -> None:
        torch.autograd.grad(summed_loss(hidden, head, labels), (hidden, head))

    def naive() -> None:
        torch.autograd.grad(F.cross_entropy(hidden @ head.T, labels, reduction="sum"), (hidden, head))

    assert extra_memory(chunked) < extra_memory(naive) / 4
