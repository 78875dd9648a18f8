"""How many sequences a step takes: always as many, or more and more. Pure: the plan of all steps of a training."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from regraft.core import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRamp:
    """A training begins with small steps, which grow by equal amounts until they have their full size.

    Each size is kept for an equal part of `tokens`, rounded up to whole steps.

    Source: not in the paper. GPT-3 raises its batch linearly over the first 4 to 12 B tokens, arXiv:2005.14165 [R].
    """

    start: int
    """Sequences of the first steps."""
    increase: int
    """Sequences by which a step grows at a time; the full size less `start` is a multiple of it."""
    tokens: int
    """Consumed when the full size is reached, padding included."""

    def __post_init__(self) -> None:
        for name in ("start", "increase", "tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"batch ramp: {name} is {getattr(self, name)}; give at least 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Steps of one size, up to the next stretch."""

    first_step: int
    first_token: int
    """Consumed before its first step."""
    sequences: int
    """Of each step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """All steps of a training, numbered from 0. What it says takes O(log stretches) time."""

    budget: int
    """Tokens asked for."""
    sequence_length: int
    stretches: tuple[Stretch, ...]

    @property
    def num_steps(self) -> int:
        """Steps that the budget takes."""
        return self.steps_within(self.budget - 1) + 1

    @property
    def tokens(self) -> int:
        """The budget, rounded up to whole steps."""
        return self.tokens_before(self.num_steps)

    def sequences_of(self, step: int) -> int:
        """Return the sequences of a step."""
        return self._at_step(step).sequences

    def tokens_of(self, step: int) -> int:
        """Return the tokens of a step, padding included."""
        return self.sequences_of(step) * self.sequence_length

    def tokens_before(self, step: int) -> int:
        """Return the tokens that are consumed before a step: those of the first `step` steps."""
        stretch = self._at_step(step)
        return stretch.first_token + (step - stretch.first_step) * stretch.sequences * self.sequence_length

    def steps_within(self, tokens: int) -> int:
        """Return the largest number of steps that consume at most `tokens`."""
        index = bisect_right(self.stretches, tokens, key=lambda stretch: stretch.first_token) - 1
        stretch = self.stretches[index]
        return stretch.first_step + (tokens - stretch.first_token) // (stretch.sequences * self.sequence_length)

    def _at_step(self, step: int) -> Stretch:
        return self.stretches[bisect_right(self.stretches, step, key=lambda stretch: stretch.first_step) - 1]


def plan_steps(budget: int, sequence_length: int, sequences_per_step: int, ramp: BatchRamp | None = None) -> StepPlan:
    """Return the steps that consume a budget of tokens, all of `sequences_per_step` but for a ramp at their start.

    Raises:
        ConfigError: the ramp does not lead to `sequences_per_step`, or not within the budget.
    """
    sizes = _sizes(ramp, sequences_per_step, budget) if ramp else [(sequences_per_step, budget)]
    return StepPlan(budget=budget, sequence_length=sequence_length, stretches=tuple(_stretches(sizes, sequence_length)))


def _sizes(ramp: BatchRamp, full: int, budget: int) -> list[tuple[int, int]]:
    """Return each number of sequences, with the tokens after which it ends."""
    grown = full - ramp.start
    if grown < 1 or grown % ramp.increase:
        raise ConfigError(
            f"A batch ramp from {ramp.start} sequences in steps of {ramp.increase} does not lead to {full}, the "
            "sequences_per_step."
        )
    if ramp.tokens > budget:
        raise ConfigError(f"The batch ramp takes {ramp.tokens:,} tokens and the budget is {budget:,}.")
    count = grown // ramp.increase
    ends = [ramp.tokens * i // count for i in range(1, count + 1)]
    return [*zip(range(ramp.start, full, ramp.increase), ends, strict=True), (full, budget)]


def _stretches(sizes: list[tuple[int, int]], sequence_length: int) -> Iterator[Stretch]:
    """Yield the steps of each size that takes any; the last one is there always and has no end."""
    step = token = 0
    for sequences, end in sizes[:-1]:
        if end > token:
            yield Stretch(first_step=step, first_token=token, sequences=sequences)
            steps = -(-(end - token) // (sequences * sequence_length))
            step, token = step + steps, token + steps * sequences * sequence_length
    yield Stretch(first_step=step, first_token=token, sequences=sizes[-1][0])
