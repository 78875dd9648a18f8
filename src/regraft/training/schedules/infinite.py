"""A rate that holds for as long as there are data, and the decay that turns any model of it into one to use."""

from dataclasses import dataclass

from regraft.training.schedules.phases import Phase, Phased, Shape, check_rates, check_shape, check_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Infinite(Phased):
    """Linear warm-up, a cooldown to a constant rate, and that rate to the end of the budget, whatever it is.

    It does not decay: that is a training of its own, with `Decay`, from the last model or one that was kept.

    Source: arXiv:2503.02844, with a cosine cooldown [N]; that the cooldown may have another shape is ours. Not in the
    paper.
    """

    peak: float
    constant: float
    start: float = 0.0
    warmup_tokens: int = 0
    cooldown_tokens: int
    cooldown: Shape = "cosine"

    def __post_init__(self) -> None:
        check_rates(self.peak, start=self.start, constant=self.constant)
        check_tokens(warmup_tokens=self.warmup_tokens, cooldown_tokens=self.cooldown_tokens)
        check_shape(self.cooldown, self.constant)

    def phases(self, budget: int) -> tuple[Phase, ...]:
        """Return warm-up, cooldown and constant phase."""
        rest = budget - self.warmup_tokens - self.cooldown_tokens
        return (
            Phase(name="a warm-up", tokens=self.warmup_tokens, start=self.start, end=self.peak),
            Phase(
                name="a cooldown", tokens=self.cooldown_tokens, start=self.peak, end=self.constant, shape=self.cooldown
            ),
            Phase(name="a constant phase", tokens=rest, start=self.constant, end=self.constant),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay(Phased):
    """Down to a final rate over the whole budget, without a warm-up: for a model from the stable part of a training.

    `peak` is the rate at which that model was trained.

    Source: arXiv:2503.02844 anneals exponentially [N], YuLan-Mini by 1-sqrt [Y]. Not in the paper.
    """

    peak: float
    final: float = 0.0
    shape: Shape = "1-sqrt"

    def __post_init__(self) -> None:
        check_rates(self.peak, final=self.final)
        check_shape(self.shape, self.final)

    def phases(self, budget: int) -> tuple[Phase, ...]:
        """Return the decay."""
        return (Phase(name="a decay", tokens=budget, start=self.peak, end=self.final, shape=self.shape),)
