from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st
from torch.distributed.tensor import DTensor

from regraft.core import ConfigError
from regraft.training.averaging import Ema, WeightAverage
from regraft.training.parallel import Ranks, whole


def model_of(*values: float) -> torch.nn.Module:
    model = torch.nn.Linear(len(values), 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([values]))
    return model


def walk(average: WeightAverage, model: torch.nn.Linear, values: list[float], *, consumed: int = 0) -> None:
    for step, value in enumerate(values, start=1):
        with torch.no_grad():
            model.weight.fill_(value)
        average.update(step, consumed)


@given(values=st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=30), decay=st.floats(0, 0.999))
def test_the_mean_is_over_what_was_seen_and_nothing_else(values: list[float], decay: float) -> None:
    model = model_of(1e6, 1e6)  # the weights before the first update leave no trace
    average = WeightAverage(Ema(decay=decay), model)
    walk(average, model, values)
    powers = [decay ** (len(values) - n) for n in range(1, len(values) + 1)]
    expected = sum(p * v for p, v in zip(powers, values, strict=True)) / sum(powers)
    with average.applied():
        torch.testing.assert_close(model.weight, torch.full((1, 2), expected), atol=1e-3, rtol=1e-4)
    assert torch.equal(model.weight, torch.full((1, 2), values[-1]))


def test_updates_begin_at_start_tokens_and_come_every_so_many_steps() -> None:
    config = Ema(decay=0.5, every_steps=3, start_tokens=500)
    assert [step for step in range(1, 13) if config.is_due(step, 100 * step)] == [6, 9, 12]


def test_before_the_first_update_nothing_changes() -> None:
    model = model_of(3.0)
    average = WeightAverage(Ema(start_tokens=10), model)
    walk(average, model, [4.0], consumed=9)
    with average.applied():
        assert model.weight.item() == 4.0


def test_the_swap_is_undone_bit_for_bit_also_after_an_error() -> None:
    model = torch.nn.Linear(7, 5)
    average = WeightAverage(Ema(decay=0.9), model)
    average.update(1, 1)
    with torch.no_grad():
        model.weight.normal_()
    average.update(2, 2)
    weights, means = model.weight.clone(), average.state_dict()["weight"].clone()
    with average.applied():
        assert torch.equal(model.weight, means)
    with pytest.raises(ZeroDivisionError), average.applied():
        raise ZeroDivisionError
    assert torch.equal(model.weight, weights)
    assert torch.equal(average.state_dict()["weight"], means)


def test_a_continued_average_is_the_same_bit_for_bit() -> None:
    model = model_of(0.0)
    straight = WeightAverage(Ema(decay=0.9), model)
    walk(straight, model, [1.0, 2.0, 5.0])
    first = WeightAverage(Ema(decay=0.9), model)
    walk(first, model, [1.0, 2.0])
    saved = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    second = WeightAverage(Ema(decay=0.9), model)
    second.load_state_dict(saved)
    with torch.no_grad():
        model.weight.fill_(5.0)
    second.update(3, 0)
    assert second.count == 3
    assert torch.equal(second.state_dict()["weight"], straight.state_dict()["weight"])


def test_averages_of_other_parameters_are_refused() -> None:
    average = WeightAverage(Ema(), torch.nn.Linear(2, 1))
    with pytest.raises(ConfigError, match="bias"):
        average.load_state_dict(WeightAverage(Ema(), torch.nn.Linear(2, 1, bias=False)).state_dict())


def test_frozen_parameters_have_no_average() -> None:
    model = torch.nn.Linear(2, 1)
    model.bias.requires_grad_(False)
    assert set(WeightAverage(Ema(), model).state_dict()) == {"count", "weight"}


def test_half_precision_weights_are_refused() -> None:
    with pytest.raises(ConfigError, match="bfloat16"):
        WeightAverage(Ema(), torch.nn.Linear(2, 1).bfloat16())


@pytest.mark.parametrize("wrong", [{"decay": 1.0}, {"decay": -0.1}, {"every_steps": 0}, {"start_tokens": -1}])
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Ema(**wrong)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def alone() -> Iterator[Ranks]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield Ranks(0, 1, torch.device("cpu"))
    dist.destroy_process_group()


def test_a_sharded_model_is_averaged_and_called_with_its_means(alone: Ranks) -> None:
    from torch.distributed.fsdp import fully_shard

    class Called(torch.nn.Module):
        def __init__(self, model: torch.nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.model(x)

    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1))
    module = fully_shard(Called(model))
    average = WeightAverage(Ema(decay=0.5), model, module)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    given = torch.ones(2, 4)
    seen: list[torch.Tensor] = []
    for step in (1, 2, 3):
        module(given).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        average.update(step, 0)
        seen.append(whole(model[0].weight.detach()).clone())
    assert isinstance(average.state_dict()["0.weight"], DTensor)
    with torch.no_grad():
        plain = module(given).clone()  # the root keeps its whole parameters now
        with average.applied():
            mean = (seen[0] * 0.25 + seen[1] * 0.5 + seen[2]) / 1.75
            torch.testing.assert_close(whole(model[0].weight.detach()), mean)
            means = {name: whole(p.detach()).clone() for name, p in model.named_parameters()}
            averaged = module(given).clone()
        assert torch.equal(module(given), plain)
    expected = torch.nn.functional.linear(given, means["0.weight"], means["0.bias"])
    expected = torch.nn.functional.linear(expected, means["1.weight"], means["1.bias"])
    torch.testing.assert_close(averaged, expected)
    assert not torch.equal(averaged, plain)
