"""Learning rate as a pure function of the tokens consumed, padding included: nothing to save, nothing to restore."""

from dataclasses import dataclass
from typing import Protocol

from regraft.core import ConfigError


class Schedule(Protocol):
    """A learning rate for every position in a token budget."""

    def learning_rate(self, consumed: int, budget: int) -> float:
        """Return the learning rate of the step that ends when `consumed` of `budget` tokens are consumed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupStable:
    """Linear warm-up from a start rate, then constant.

    Source: paper section on training, 1e-7 to 1e-5 over 10 B tokens, then constant, called WSD there [N]. The released
    code never decays either [X]. The rates here have no default: they depend on the model.
    """

    peak: float
    start: float = 0.0
    warmup_tokens: int = 0

    def __post_init__(self) -> None:
        _check_rates(self.start, self.peak)
        if self.warmup_tokens < 0:
            raise ConfigError(f"warmup_tokens is {self.warmup_tokens}; it cannot be negative.")

    def learning_rate(self, consumed: int, budget: int) -> float:
        if consumed >= self.warmup_tokens:
            return self.peak
        return self.start + (self.peak - self.start) * consumed / self.warmup_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupStableDecay:
    """Linear warm-up, constant, then linear decay to a final rate over the last share of the budget.

    Source: the decay is not in the paper; YuLan-Mini decays over the last 8 % of its tokens [Y].
    """

    peak: float
    start: float = 0.0
    warmup_tokens: int = 0
    decay_share: float = 0.08
    final: float = 0.0

    def __post_init__(self) -> None:
        WarmupStable(peak=self.peak, start=self.start, warmup_tokens=self.warmup_tokens)
        _check_rates(self.final, self.peak)
        if not 0 <= self.decay_share <= 1:
            raise ConfigError(f"decay_share is {self.decay_share}; give a share between 0 and 1.")

    def learning_rate(self, consumed: int, budget: int) -> float:
        stable = WarmupStable(peak=self.peak, start=self.start, warmup_tokens=self.warmup_tokens)
        decay_tokens = self.decay_share * budget
        left = max(0, budget - consumed)
        if decay_tokens == 0 or left >= decay_tokens:
            return stable.learning_rate(consumed, budget)
        return self.final + (stable.learning_rate(consumed, budget) - self.final) * left / decay_tokens


def _check_rates(low: float, peak: float) -> None:
    if not 0 <= low <= peak or peak <= 0:
        raise ConfigError(f"learning rates {low} and {peak}: give 0 <= start or final <= peak and a positive peak.")
