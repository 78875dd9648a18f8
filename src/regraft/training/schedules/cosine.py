"""Warm-up, then half a cosine over all the rest of the budget."""

from dataclasses import dataclass

from regraft.training.schedules.phases import Phase, Phased, check_rates, check_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosine(Phased):
    """Linear warm-up from a start rate, then down to a final rate along half a cosine.

    Re-warming for continual pre-training: `start` and `final` are the rate at which the earlier training ended, a tenth
    of the peak as a rule.

    Source: re-warm and re-decay with replay, arXiv:2403.08763 [A]; a tenth of the peak [R]. Not in the paper.
    """

    peak: float
    start: float = 0.0
    warmup_tokens: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        check_rates(self.peak, start=self.start, final=self.final)
        check_tokens(warmup_tokens=self.warmup_tokens)

    def phases(self, budget: int) -> tuple[Phase, ...]:
        """Return warm-up and decay."""
        decay = budget - self.warmup_tokens
        return (
            Phase(name="a warm-up", tokens=self.warmup_tokens, start=self.start, end=self.peak),
            Phase(name="a decay", tokens=decay, start=self.peak, end=self.final, shape="cosine"),
        )
