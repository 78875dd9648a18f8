from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from regraft.core import RegraftError
from regraft.lm.loss import CausalLoss, leak_self_test, set_attention
from regraft.lm.packed_attention import BLOCK_TOKENS, PACKED, packed_attention

HEADS, KEY_HEADS, SIZE = 6, 2, 4


def of_documents(rows: list[list[int]]) -> Tensor:
    """Return the positions of rows of documents of these lengths."""
    return torch.stack([torch.cat([torch.arange(length) for length in row]) for row in rows])


def tensors(positions: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    rows, tokens = positions.shape
    made = [torch.randn(rows, tokens, h, SIZE, generator=generator) for h in (HEADS, KEY_HEADS, KEY_HEADS)]
    query, key, value = (x.to(dtype).transpose(1, 2).requires_grad_() for x in made)
    return query, key, value


def masked(query: Tensor, key: Tensor, value: Tensor, positions: Tensor) -> Tensor:
    """Return the attention of PyTorch under a mask that is written down, (B, T, H, D)."""
    document = (positions == 0).cumsum(1)
    seen = (document[:, :, None] == document[:, None]).tril()[:, None]
    return F.scaled_dot_product_attention(query, key, value, attn_mask=seen, enable_gqa=True).transpose(1, 2)


def packed(query: Tensor, key: Tensor, value: Tensor, positions: Tensor, **more: Any) -> Tensor:
    return packed_attention(torch.nn.Identity(), query, key, value, None, position_ids=positions, **more)[0]


@settings(max_examples=25, deadline=None)
@given(data=st.data(), tokens=st.sampled_from([1, 5, BLOCK_TOKENS, BLOCK_TOKENS + 1, 2 * BLOCK_TOKENS + 40]))
def test_it_is_attention_under_the_mask_of_the_documents_and_so_are_its_gradients(
    data: st.DataObject, tokens: int
) -> None:
    cuts = [sorted(data.draw(st.sets(st.integers(1, tokens - 1), max_size=5))) if tokens > 1 else [] for _ in range(2)]
    positions = of_documents([[b - a for a, b in zip([0, *c], [*c, tokens], strict=True)] for c in cuts])
    given_tensors = tensors(positions)
    ours, theirs = packed(*given_tensors, positions), masked(*given_tensors, positions)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    direction = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1))
    gradients = [torch.autograd.grad(out, given_tensors, direction) for out in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_in_bfloat16_it_is_as_near_as_rounding_allows() -> None:
    positions = of_documents([[70, BLOCK_TOKENS + 60]])
    exact = tensors(positions)
    rounded = tensors(positions, torch.bfloat16)
    assert packed(*rounded, positions).dtype == torch.bfloat16
    difference = packed(*rounded, positions).float() - masked(*exact, positions)
    assert float((difference.norm() / masked(*exact, positions).norm()).detach()) < 0.01


def test_under_autocast_it_computes_in_bfloat16_and_gives_gradients_of_what_it_was_given() -> None:
    positions = of_documents([[3, 5]])
    query, key, value = tensors(positions)
    with torch.autocast("cpu", torch.bfloat16):
        out = packed(query, key, value, positions)
    assert out.dtype == torch.bfloat16
    assert {g.dtype for g in torch.autograd.grad(out.sum(), (query, key, value))} == {torch.float32}


def test_the_scaling_of_the_model_is_used() -> None:
    positions = of_documents([[8]])
    query, key, value = tensors(positions)
    torch.testing.assert_close(
        packed(query, key, value, positions, scaling=1.0), packed(2 * query, key, value, positions, scaling=0.5)
    )
    assert not torch.allclose(packed(query, key, value, positions, scaling=1.0), packed(query, key, value, positions))


@pytest.mark.parametrize("more", [{"sliding_window": 4}, {"softcap": 30.0}, {"dropout": 0.1}, {"is_causal": False}])
def test_what_it_does_not_know_it_does_not_do(more: dict[str, Any]) -> None:
    positions = of_documents([[8]])
    with pytest.raises(NotImplementedError):
        packed(*tensors(positions), positions, **more)


def test_without_positions_it_does_not_guess() -> None:
    with pytest.raises(NotImplementedError, match="positions"):
        packed_attention(torch.nn.Identity(), *tensors(of_documents([[8]])), None)


def test_a_model_trains_with_it_as_with_its_own(tiny: PreTrainedModel) -> None:
    positions = of_documents([[BLOCK_TOKENS, 12], [40, BLOCK_TOKENS - 28]])
    ids = torch.randint(500, positions.shape, generator=torch.Generator().manual_seed(0))
    losses, gradients = [], []
    for attention in (str(tiny.config._attn_implementation), PACKED):
        set_attention(tiny, attention)
        loss = CausalLoss(tiny)(ids, positions, ids)
        loss.backward()
        losses.append(loss.detach())
        gradients.append({name: p.grad for name, p in tiny.named_parameters()})
        tiny.zero_grad(set_to_none=True)
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-6, atol=0)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-4)


def test_the_leak_self_test_sees_a_leak_of_it(tiny: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = (19, BLOCK_TOKENS + 22, 28)
    own = tiny.config._attn_implementation
    assert leak_self_test(tiny, attention=PACKED, lengths=lengths) < 1e-4
    assert tiny.config._attn_implementation == own
    monkeypatch.setattr("regraft.lm.packed_attention.torch.ops.regraft.packed_attention", _leaky)
    with pytest.raises(RegraftError, match="'packed'"):
        leak_self_test(tiny, attention=PACKED, lengths=lengths)


def _leaky(query: Tensor, key: Tensor, value: Tensor, position_ids: Tensor, scale: float) -> Tensor:
    out = F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=True)
    return out.transpose(1, 2)
