"""How much each checkpoint counts in a merge: uniform, as given, like a decay of the learning rate, or as a loss says.

The weights of a merge are not negative and sum to one, so that a merge of equal checkpoints is that checkpoint.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal, Protocol

from regraft.core import ConfigError
from regraft.training.train import ValidationConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A checkpoint that may be merged."""

    name: str
    run: str
    """Artifact that holds it."""
    step: int
    """Optimizer step of its run after which it was written; 0 when it was not trained here."""
    folder: Path
    """In the Transformers format."""


class Weighting(Protocol):
    """Weighs checkpoints without looking into them."""

    def weights(self, members: Sequence[Member]) -> tuple[float, ...]:
        """Return the weight of each member; they sum to one.

        Raises:
            ConfigError: these members cannot be weighed so.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Every checkpoint counts alike. Source: uniform soup, arXiv:2203.05482; not in the paper."""

    def weights(self, members: Sequence[Member]) -> tuple[float, ...]:
        return (1 / len(members),) * len(members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted:
    """Checkpoints count as given."""

    values: tuple[float, ...]
    """One a member, in the order of the inputs, older checkpoints of a run first."""

    def __post_init__(self) -> None:
        if not (self.values and min(self.values) >= 0 and abs(math.fsum(self.values) - 1) < 1e-9):
            raise ConfigError(f"weights {self.values} sum to {math.fsum(self.values)}; give shares that sum to 1.")

    def weights(self, members: Sequence[Member]) -> tuple[float, ...]:
        if len(members) != len(self.values):
            raise ConfigError(f"{len(self.values)} weights for {len(members)} members: {[m.name for m in members]}.")
        return self.values


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayLike:
    """Checkpoints of one stable run count so that the merge is what a decay over their span would have made.

    With changes d_i between members 0..k, the merge is member 0 plus the sum of w_i d_i, where w_i is the sum of the
    weights of members i..k: a decay by w_i in place of a merge. So member j has the weight w_j - w_{j+1}, with w_0 = 1
    and w_{k+1} = 0. It holds for a constant learning rate, and for models kept as they were trained, not averaged.

    The decay is read by optimizer steps, at i / (k + 1) when members lie evenly, so that `linear` is the uniform soup;
    `one_minus_sqrt` falls fast at first and gives most weight to the oldest member.

    Source: warmup-stable-merge, arXiv:2507.17634 (the identity as summaries of it give it); where on the curve the
    decay is read, and uneven spacing, are settings of ours. Not in the paper that regraft follows.
    """

    shape: Literal["linear", "one_minus_sqrt"] = "linear"

    def weights(self, members: Sequence[Member]) -> tuple[float, ...]:
        steps = [member.step for member in members]
        if len({member.run for member in members}) > 1 or sorted({*steps}) != steps:
            raise ConfigError(
                f"{self} weighs several checkpoints of one run, not {[m.name for m in members]} at steps {steps}. "
                "Train with `keep_every`, and merge with `last` other than 1."
            )
        if len(steps) == 1:
            return (1.0,)
        last = len(steps) - 1
        scale = last / (last + 1) / (steps[-1] - steps[0])
        rates = [*(self._rate((step - steps[0]) * scale) for step in steps), 0.0]
        return tuple(rate - below for rate, below in pairwise(rates))

    def _rate(self, position: float) -> float:
        return 1 - (position if self.shape == "linear" else math.sqrt(position))


@dataclass(frozen=True, slots=True, kw_only=True)
class Greedy:
    """From the member of lowest held-out loss on, the next one joins a uniform soup only if the loss of the soup falls.

    Source: greedy soup, arXiv:2203.05482, there by accuracy; not in the paper.
    """

    validation: ValidationConfig = field(default_factory=ValidationConfig)
    """What is scored of the input `held_out`. Loss is over all its tokens alike."""
    precision: Literal["float32", "bfloat16"] = "float32"
