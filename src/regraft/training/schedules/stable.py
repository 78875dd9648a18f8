"""Warm-up, then constant, then a decay or none."""

from dataclasses import dataclass

from regraft.core import ConfigError
from regraft.training.schedules.phases import Phase, Phased, Shape, check_rates, check_shape, check_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupStable(Phased):
    """Linear warm-up from a start rate, then constant.

    Source: paper section on training, 1e-7 to 1e-5 over 10 B tokens, then constant, called WSD there [N]. The released
    code never decays either [X]. The rates here have no default: they depend on the model.
    """

    peak: float
    start: float = 0.0
    warmup_tokens: int = 0

    def __post_init__(self) -> None:
        check_rates(self.peak, start=self.start)
        check_tokens(warmup_tokens=self.warmup_tokens)

    def phases(self, budget: int) -> tuple[Phase, ...]:
        """Return warm-up and stable phase."""
        return (
            Phase(name="a warm-up", tokens=self.warmup_tokens, start=self.start, end=self.peak),
            Phase(name="a stable phase", tokens=budget - self.warmup_tokens, start=self.peak, end=self.peak),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupStableDecay(Phased):
    """Linear warm-up, constant, then a decay to a final rate over the last tokens of the budget.

    Source: the decay is not in the paper; YuLan-Mini decays over the last 8 % of its tokens by 1-sqrt [Y].
    """

    peak: float
    start: float = 0.0
    warmup_tokens: int = 0
    decay_share: float = 0.0
    """Of the budget. Give this or `decay_tokens`."""
    decay_tokens: int = 0
    final: float = 0.0
    shape: Shape = "1-sqrt"

    def __post_init__(self) -> None:
        check_rates(self.peak, start=self.start, final=self.final)
        check_tokens(warmup_tokens=self.warmup_tokens, decay_tokens=self.decay_tokens)
        check_shape(self.shape, self.final)
        if not 0 <= self.decay_share <= 1:
            raise ConfigError(f"decay_share is {self.decay_share}; give a share between 0 and 1.")
        if bool(self.decay_share) == bool(self.decay_tokens):
            raise ConfigError(
                f"decay_share is {self.decay_share} and decay_tokens {self.decay_tokens}: give one of them; a schedule "
                "without a decay is WarmupStable."
            )

    def phases(self, budget: int) -> tuple[Phase, ...]:
        """Return warm-up, stable phase and decay."""
        decay = self.decay_tokens or round(self.decay_share * budget)
        stable = budget - self.warmup_tokens - decay
        return (
            Phase(name="a warm-up", tokens=self.warmup_tokens, start=self.start, end=self.peak),
            Phase(name="a stable phase", tokens=stable, start=self.peak, end=self.peak),
            Phase(name="a decay", tokens=decay, start=self.peak, end=self.final, shape=self.shape),
        )
