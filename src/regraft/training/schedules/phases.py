"""Phases: a learning rate that goes from one value to another over some tokens, and schedules made of them."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, Protocol

from regraft.core import ConfigError

Shape = Literal["linear", "1-sqrt", "cosine", "exponential"]


class Schedule(Protocol):
    """A learning rate for every position in a token budget."""

    def learning_rate(self, consumed: int, budget: int) -> float:
        """Return the learning rate of the step that ends when `consumed` of `budget` tokens are consumed.

        Raises:
            ConfigError: the schedule does not fit into the budget.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The rate goes from `start` to `end` over some tokens, with `x` from 0 to 1.

    Source: "1-sqrt", `1 - sqrt(x)` of the way left, arXiv:2405.18392 [R], also YuLan-Mini's [Y]; "exponential", equal
    factors for equal tokens, as arXiv:2503.02844 anneals [N]; "cosine", half a cosine; "linear".
    """

    name: str
    tokens: int
    start: float
    end: float
    shape: Shape = "linear"

    def rate(self, done: int) -> float:
        """Return the rate after `done` of the tokens: `start` at none, `end` at all, and between them between."""
        if done >= self.tokens:
            return self.end
        x = done / self.tokens
        if self.shape == "exponential":
            rate = self.start * (self.end / self.start) ** x
        else:
            rate = self.start + (self.end - self.start) * _way_done(x, self.shape)
        return min(max(rate, min(self.start, self.end)), max(self.start, self.end))


class Phased(ABC):
    """A schedule that is one phase after another; it stays at the end of the last one."""

    __slots__ = ()

    @abstractmethod
    def phases(self, budget: int) -> tuple[Phase, ...]:
        """Return the phases of a budget, in order; the tokens of one are negative when the others do not fit."""

    def learning_rate(self, consumed: int, budget: int) -> float:
        """Return the learning rate of the step that ends when `consumed` of `budget` tokens are consumed.

        Raises:
            ConfigError: the phases do not fit into the budget.
        """
        phases = self.phases(budget)
        if min(phase.tokens for phase in phases) < 0:
            asked = " and ".join(f"{phase.name} of {phase.tokens:,}" for phase in phases if phase.tokens > 0)
            raise ConfigError(f"{type(self).__name__}: {asked} tokens do not fit into the budget of {budget:,}.")
        done = consumed
        for phase in phases[:-1]:
            if done <= phase.tokens:
                return phase.rate(done)
            done -= phase.tokens
        return phases[-1].rate(done)


def check_rates(peak: float, **rates: float) -> None:
    """Return if the peak is positive and the other rates lie between 0 and it.

    Raises:
        ConfigError: names the rate that does not.
    """
    if not 0 < peak < math.inf:
        raise ConfigError(f"peak is {peak}; give a positive learning rate.")
    for name, rate in rates.items():
        if not 0 <= rate <= peak:
            raise ConfigError(f"{name} is {rate}; give a learning rate from 0 to the peak, {peak}.")


def check_tokens(**counts: int) -> None:
    """Return if no count is negative.

    Raises:
        ConfigError: names the one that is.
    """
    for name, count in counts.items():
        if count < 0:
            raise ConfigError(f"{name} is {count}; it cannot be negative.")


def check_shape(shape: Shape, end: float) -> None:
    """Return if a phase of this shape can go to `end`.

    Raises:
        ConfigError: equal factors would have to lead to 0.
    """
    if shape == "exponential" and end == 0:
        raise ConfigError("An exponential phase never reaches 0; give a positive rate to end at.")


def _way_done(x: float, shape: Shape) -> float:
    """Return the part of the way from start to end, 0 to 1, after the part `x` of the tokens."""
    match shape:
        case "1-sqrt":
            return math.sqrt(x)
        case "cosine":
            return (1 - math.cos(math.pi * x)) / 2
        case _:
            return x
