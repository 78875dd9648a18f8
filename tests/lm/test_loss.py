from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import PreTrainedModel

from regraft.core import ConfigError, RegraftError
from regraft.lm.cross_entropy import IGNORED, summed_loss, token_losses
from regraft.lm.loss import document_losses, leak_self_test, position_losses, sequence_loss
from regraft.lm.loss_store import LossStore


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tokens(*shape: int, seed: int = 0, below: int = 512) -> Tensor:
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(seed))


def loss_alone(model: PreTrainedModel, document: list[int]) -> float:
    ids = torch.tensor([document])
    with torch.no_grad():
        logits = model(input_ids=ids[:, :-1]).logits[0]
    return float(F.cross_entropy(logits, ids[0, 1:], reduction="sum"))


@settings(max_examples=30, deadline=None)
@given(n=st.integers(0, 40), chunk=st.integers(1, 50), seed=st.integers(0, 99))
def test_chunks_give_the_value_and_the_gradients_of_plain_cross_entropy(n: int, chunk: int, seed: int) -> None:
    hidden, weight = random(n, 8, seed=seed).requires_grad_(), random(30, 8, seed=seed + 1).requires_grad_()
    labels = torch.where(tokens(n, seed=seed, below=4) == 0, IGNORED, tokens(n, seed=seed, below=30))
    found = summed_loss(hidden, weight, labels, chunk_tokens=chunk)
    plain = F.cross_entropy(hidden @ weight.T, labels, ignore_index=IGNORED, reduction="sum")
    torch.testing.assert_close(found, plain, rtol=1e-5, atol=1e-5)
    if n:
        ours, theirs = (torch.autograd.grad(loss, [hidden, weight]) for loss in (found, plain))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_logits_of_all_positions_never_exist() -> None:
    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            largest = max(largest, out.numel() if isinstance(out, Tensor) else 0)
            return out

    hidden, weight = random(256, 4).requires_grad_(), random(1000, 4).requires_grad_()
    with Watch():
        summed_loss(hidden, weight, tokens(256), chunk_tokens=16).backward()
    assert largest == 16 * 1000


def test_tied_weights_get_gradients_from_both_ends(tiny: PreTrainedModel) -> None:
    ids, labels = tokens(2, 16), tokens(2, 16, seed=1)
    positions = torch.arange(16).expand(2, -1)
    sequence_loss(tiny, ids, positions, labels, chunk_tokens=7).backward()
    weight: Any = tiny.get_input_embeddings().weight
    found, weight.grad = weight.grad.clone(), None
    F.cross_entropy(tiny(input_ids=ids).logits.flatten(0, 1), labels.flatten(), reduction="sum").backward()
    torch.testing.assert_close(found, weight.grad, rtol=1e-4, atol=1e-4)


def test_under_autocast_the_loss_stays_in_fp32_and_close(tiny: PreTrainedModel) -> None:
    ids, labels, positions = tokens(2, 32), tokens(2, 32, seed=1), torch.arange(32).expand(2, -1)
    plain = sequence_loss(tiny, ids, positions, labels)
    with torch.autocast("cpu", torch.bfloat16):
        found = sequence_loss(tiny, ids, positions, labels)
    assert found.dtype == torch.float32
    assert found != plain
    torch.testing.assert_close(found, plain, rtol=0.01, atol=0)
    found.backward()


def test_bias_and_softcap_of_a_head_are_applied() -> None:
    hidden, weight, bias, labels = random(5, 4), random(9, 4), random(9, seed=2), tokens(5, below=9)
    logits = 3.0 * torch.tanh((hidden @ weight.T + bias) / 3.0)
    found = token_losses(hidden, weight, labels, head_bias=bias, softcap=3.0, chunk_tokens=2)
    torch.testing.assert_close(found, F.cross_entropy(logits, labels, reduction="none"))


def test_a_softcap_of_the_model_is_applied_and_other_scales_are_refused(tiny: PreTrainedModel) -> None:
    ids, positions = tokens(1, 8), torch.arange(8)[None]
    plain = sequence_loss(tiny, ids, positions, ids)
    tiny.config.final_logit_softcapping = 2.0
    assert sequence_loss(tiny, ids, positions, ids) != plain
    tiny.config.mup_width_multiplier = 0.5
    with pytest.raises(ConfigError, match=r"mup_width_multiplier"):
        sequence_loss(tiny, ids, positions, ids)


def test_packed_documents_do_not_see_each_other(tiny: PreTrainedModel) -> None:
    assert leak_self_test(tiny) < 1e-4


@pytest.mark.parametrize("argument", [{"use_cache": True}, {"attention_mask": torch.ones(2, 84, dtype=torch.long)}])
def test_the_self_test_finds_a_leak(
    tiny: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, argument: dict[str, Any]
) -> None:
    forward = tiny.base_model.forward

    def leaky(**given: Any):
        return forward(**(given | argument if len(given["input_ids"]) == 2 else given))

    monkeypatch.setattr(tiny.base_model, "forward", leaky)
    with pytest.raises(RegraftError, match="nats a token away from each alone"):
        leak_self_test(tiny)


def test_the_self_test_finds_a_head_that_is_not_what_it_seems(
    tiny: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = tiny.lm_head.forward
    monkeypatch.setattr(tiny.lm_head, "forward", lambda hidden: 0.5 * forward(hidden))
    with pytest.raises(RegraftError, match="changes its logits"):
        leak_self_test(tiny)


def test_a_packed_row_has_the_losses_of_its_documents_alone(tiny: PreTrainedModel) -> None:
    documents = [tokens(n, seed=n).tolist() for n in (9, 2, 21)]
    ids = torch.tensor([[t for d in documents for t in d]])
    positions = torch.cat([torch.arange(len(d)) for d in documents])[None]
    labels = torch.tensor([[t for d in documents for t in (*d[1:], IGNORED)]])
    found = position_losses(tiny, ids, positions, labels)[0].detach().split([9, 2, 21])
    assert [float(part.sum()) for part in found] == pytest.approx([loss_alone(tiny, d) for d in documents], rel=1e-5)


@pytest.fixture
def documents() -> list[list[int]]:
    lengths = [40, 0, 7, 1, 130, 2, 64, 33, 33, 12]
    return [tokens(n, seed=i).tolist() for i, n in enumerate(lengths)]


@pytest.mark.parametrize("batch_tokens", [1, 70, 100_000])
def test_document_losses_do_not_depend_on_the_batches(
    tiny: PreTrainedModel, documents: list[list[int]], batch_tokens: int
) -> None:
    plain = [loss_alone(tiny, d) if len(d) > 1 else 0.0 for d in documents]
    told: list[float] = []
    found = document_losses(tiny, documents, batch_tokens=batch_tokens, advance=told.append)
    assert found == pytest.approx(plain, rel=1e-4)
    assert sum(told) == sum(max(len(d) - 1, 0) for d in documents)


def test_a_long_document_is_scored_in_windows_that_overlap(tiny: PreTrainedModel) -> None:
    document = tokens(100, seed=5).tolist()
    ids = torch.tensor([document])
    expected = loss_alone(tiny, document[:21])
    for start in range(10, 90, 10):  # each window of 20 scores what its second half predicts
        seen = ids[:, start : min(start + 20, 99)]
        labels = ids[:, start + 1 : start + 1 + seen.shape[1]].clone()
        labels[:, :10] = IGNORED
        with torch.no_grad():
            expected += float(sequence_loss(tiny, seen, torch.arange(seen.shape[1])[None], labels))
    assert document_losses(tiny, [document], window=20) == pytest.approx([expected], rel=1e-5)
    assert document_losses(tiny, [document], window=99) == pytest.approx([loss_alone(tiny, document)], rel=1e-5)


def test_bfloat16_is_close(tiny: PreTrainedModel, documents: list[list[int]]) -> None:
    found = document_losses(tiny, documents, precision="bfloat16")
    assert found == pytest.approx(document_losses(tiny, documents), rel=0.01)


def test_scoring_restores_the_training_mode_and_needs_no_gradients(
    tiny: PreTrainedModel, documents: list[list[int]]
) -> None:
    tiny.train()
    document_losses(tiny, documents[:3])
    assert tiny.training
    assert all(p.grad is None for p in tiny.parameters())


def test_a_token_outside_the_vocabulary_is_refused(tiny: PreTrainedModel) -> None:
    with pytest.raises(ConfigError, match="Document 1 has the token 512, but the model knows 0 to 511"):
        document_losses(tiny, [[1, 2], [3, 512]])


def test_a_killed_scoring_continues_with_the_same_numbers(
    tiny: PreTrainedModel, documents: list[list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = document_losses(tiny, documents, batch_tokens=70)

    amounts: list[float] = []

    def kill(amount: float) -> None:
        amounts.append(amount)
        if len(amounts) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        document_losses(tiny, documents, batch_tokens=70, advance=kill, store=LossStore(tmp_path / "l"))
    with (tmp_path / "l").open("a") as file:
        file.write("[1.5, 2")  # the line that was being written
    forward, calls = tiny.base_model.forward, []
    monkeypatch.setattr(tiny.base_model, "forward", lambda **given: (calls.append(1), forward(**given))[1])
    again = document_losses(tiny, documents, batch_tokens=70, store=LossStore(tmp_path / "l"))
    assert again == whole
    assert len(calls) == len((tmp_path / "l").read_text().splitlines()) - 3
    calls.clear()
    assert document_losses(tiny, documents, batch_tokens=70, store=LossStore(tmp_path / "l")) == whole
    assert not calls
