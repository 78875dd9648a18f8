"""A running mean of the weights of a training, in fp32, to evaluate and to export in place of the last weights."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regraft.core import ConfigError

if TYPE_CHECKING:
    import torch

COUNT = "count"
"""Name of the number of updates among the tensors of a checkpoint; no parameter has a name without a dot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ema:
    """Exponential moving average: an update of age n, in updates, counts `decay` to the n.

    The mean is taken over what was seen: after n updates the weights are divided by their sum, 1 - decay^n, as Adam
    divides its moments. So the first update is the weights themselves, and neither the weights before `start_tokens`
    nor zeros are in it. Source: the correction is Adam's (arXiv:1412.6980, section 3); the rest is not in the paper.
    """

    decay: float = 0.99
    every_steps: int = 1
    """Optimizer steps from one update to the next."""
    start_tokens: int = 0
    """Before so many tokens are consumed, padding included, nothing is averaged."""

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise ConfigError(f"decay is {self.decay}; give a number from 0 to below 1.")
        if self.every_steps < 1 or self.start_tokens < 0:
            raise ConfigError(f"every_steps is {self.every_steps} and start_tokens {self.start_tokens}: at least 1, 0.")

    def is_due(self, step: int, consumed: int) -> bool:
        """Return whether the weights after `step`, with `consumed` tokens, are averaged."""
        return consumed >= self.start_tokens and step % self.every_steps == 0

    def weight(self, count: int) -> float:
        """Return how much the update number `count`, from 1, counts against the mean of those before."""
        return (1 - self.decay) / (1 - self.decay**count)


class WeightAverage:
    """The mean of every trained parameter, sharded as the parameter is. Frozen ones stay what they are."""

    def __init__(self, config: Ema, model: "torch.nn.Module", module: "torch.nn.Module | None" = None) -> None:
        """Begin with no update.

        Args:
            config: how to average.
            model: names the parameters; in its final layout, and with those frozen that are not trained.
            module: what is called in training, if it is not `model` but wraps it.
        """
        import torch

        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        if other := [name for name, p in trained.items() if p.dtype != torch.float32]:
            raise ConfigError(f"Weights are averaged in fp32, and {other[0]} is in {trained[other[0]].dtype}.")
        self.config = config
        self._module = model if module is None else module
        self._parameters = trained
        self._means = {name: parameter.detach().clone() for name, parameter in trained.items()}
        self._count = torch.zeros((), dtype=torch.int64)

    @property
    def count(self) -> int:
        """Return how many updates the mean is of."""
        return int(self._count)

    def update(self, step: int, consumed: int) -> None:
        """Take the weights of now into the mean, if it is time."""
        if not self.config.is_due(step, consumed):
            return
        self._count += 1
        weight = self.config.weight(self.count)
        for name, parameter in self._parameters.items():
            self._means[name].lerp_(parameter.detach(), weight)

    @contextmanager
    def applied(self) -> "Generator[None]":
        """Inside the block the parameters are their means, afterwards what they were, bit for bit.

        Before the first update nothing changes. A checkpoint must not be written inside the block.
        """
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state_dict(self) -> "dict[str, torch.Tensor]":
        """Return the tensors that a checkpoint needs, by name of the parameter: live ones, to be read or written."""
        return {COUNT: self._count, **self._means}

    def load_state_dict(self, tensors: "dict[str, torch.Tensor]") -> None:
        """Take over what `state_dict` returned.

        Raises:
            ConfigError: the tensors are those of other parameters.
        """
        mine = self.state_dict()
        if differing := sorted({*mine} ^ {*tensors}):
            raise ConfigError(f"The averages of another training are no averages of this one: {differing[:3]}.")
        for name, tensor in mine.items():
            tensor.copy_(tensors[name])

    def _swap(self) -> None:
        """Exchange parameters and means. FSDP2 keeps the whole parameters of the root after a forward pass alone; they
        are given up, or the next pass would read the old ones."""
        import torch
        from torch.distributed.fsdp import FSDPModule

        if not self.count:
            return
        for part in self._module.modules():
            if isinstance(part, FSDPModule):
                part.reshard()
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                before = parameter.detach().clone()
                parameter.copy_(self._means[name])
                self._means[name].copy_(before)
