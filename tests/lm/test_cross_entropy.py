"""The sum of losses takes its gradient in the forward pass: it must be that of the plain cross-entropy."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from regraft.lm.cross_entropy import CACHED, IGNORED, summed_loss, token_losses

N, H, V = 96, 32, 20_000
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
FEW_AT_ONCE = 40
"""Tokens of a chunk: the last is a part of one, and each takes its softmax in several turns."""


def naive(hidden: Tensor, weight: Tensor, labels: Tensor, bias: Tensor | None = None, softcap: float = 0) -> Tensor:
    logits = F.linear(hidden, weight, bias).float()
    capped = softcap * torch.tanh(logits / softcap) if softcap else logits
    return F.cross_entropy(capped, labels, ignore_index=IGNORED, reduction="sum")


def ours(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    return summed_loss(hidden, weight, labels, chunk_tokens=FEW_AT_ONCE)


def given() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    hidden, weight = torch.randn(N, H, generator=generator), torch.randn(V, H, generator=generator) / 4
    labels = torch.randint(V, (N,), generator=generator)
    labels[::7] = IGNORED
    labels[3] = int((hidden[3] @ weight.T).argmax())  # a token that the head is sure of
    return hidden, weight, labels


def gradients(loss: Loss, *, autocast: bool = False, scale: float = 1 / N) -> tuple[Tensor, Tensor, Tensor]:
    hidden, weight, labels = given()
    leaves = hidden.requires_grad_(), weight.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        total = loss(*leaves, labels)
    assert total.dtype == torch.float32
    return total.detach(), *torch.autograd.grad(total * scale, leaves)


def distance(found: Tensor, wanted: Tensor) -> float:
    return float((found.double() - wanted.double()).norm() / wanted.double().norm())


def test_the_case_takes_several_turns() -> None:
    assert 1 < CACHED // V < FEW_AT_ONCE < N


def test_gradients_are_those_of_the_plain_loss() -> None:
    for found, wanted in zip(gradients(ours), gradients(naive), strict=True):
        assert found.dtype == wanted.dtype
        assert distance(found, wanted) < 1e-6


def test_under_autocast_gradients_are_as_near_the_truth_as_those_of_the_plain_loss() -> None:
    exact, found, plain = gradients(naive), gradients(ours, autocast=True), gradients(naive, autocast=True)
    for a, b, truth in zip(found, plain, exact, strict=True):
        assert distance(a, b) < 4e-3, "one rounding to bfloat16"
        assert distance(a, truth) < 1.1 * distance(b, truth)


def test_the_gradient_of_one_side_alone_is_the_same() -> None:
    hidden, weight, labels = given()
    _, of_hidden, of_weight = gradients(ours, scale=1)
    for leaf, wanted in ((hidden, of_hidden), (weight, of_weight)):
        leaf.requires_grad_()
        ours(hidden, weight, labels).backward()
        assert leaf.grad is not None
        assert torch.equal(leaf.grad, wanted)
        leaf.requires_grad_(False)


def test_a_bias_and_a_cap_are_heeded() -> None:
    bias = torch.linspace(-1, 1, V)

    def with_both(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
        return summed_loss(hidden, weight, labels, head_bias=bias, softcap=3.0, chunk_tokens=FEW_AT_ONCE)

    def plainly(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
        return naive(hidden, weight, labels, bias, 3.0)

    for found, wanted in zip(gradients(with_both), gradients(plainly), strict=True):
        assert distance(found, wanted) < 1e-6


def test_a_tied_weight_gets_its_gradient_from_both_ends() -> None:
    def tied(loss: Loss) -> Tensor:
        _, weight, labels = given()
        weight.requires_grad_()
        loss(torch.tanh(F.embedding(torch.arange(N), weight)), weight, labels).backward()
        assert weight.grad is not None
        return weight.grad

    assert distance(tied(ours), tied(naive)) < 1e-6


def test_without_gradients_it_is_the_sum_of_the_losses_of_the_tokens() -> None:
    hidden, weight, labels = given()
    with torch.no_grad():
        assert summed_loss(hidden, weight, labels) == token_losses(hidden, weight, labels).sum()


@pytest.mark.parametrize("labels", [torch.full((N,), IGNORED), torch.empty(0, dtype=torch.long)])
def test_nothing_to_score_gives_zero_and_no_gradient(labels: Tensor) -> None:
    hidden, weight, _ = given()
    leaves: Any = hidden[: len(labels)].clone().requires_grad_(), weight.requires_grad_()
    total = ours(*leaves, labels)
    assert total == 0
    assert all(not g.any() for g in torch.autograd.grad(total, leaves))


def test_an_infinite_hidden_state_shows_in_loss_and_gradient() -> None:
    hidden, weight, labels = given()
    hidden[1] = float("nan")
    leaves = hidden.requires_grad_(), weight.requires_grad_()
    total = ours(*leaves, labels)
    assert total.isnan()
    assert torch.autograd.grad(total, leaves)[1].isnan().any()
