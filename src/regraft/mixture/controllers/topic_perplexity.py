"""The rule of the paper: shares follow the change of each topic's perplexity.

Source: Llama-3-SynE (arXiv:2407.18743), the topic-based data mixture of stage I. The last line of the update is read
from its Figure 1 [F], the change of perplexity from a note on the paper [N]; step size, weights, normaliser, noise gate
and bounds are not in the paper.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from regraft.core import ConfigError
from regraft.mixture.controllers.bounds import Bounds
from regraft.mixture.controllers.by_topic import unused, value_of
from regraft.mixture.controllers.decision import Decision, TopicLoss, TopicTerm, settle

ROUNDING = 1e-9
"""Spread of the changes, relative to their size, that is no more than rounding."""

Normaliser = Literal["max_abs", "sum_abs", "zscore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPerplexity:
    """The rule of the paper: a topic that got worse gets more, a topic that got better gets less.

        dp_i = p_i(t) - p_i(t-1);  delta = normalise(dp);  f_i = 1 + alpha delta_i w_i;  r'_i = r_i f_i / sum_j r_j f_j

    Source: arXiv:2407.18743, Figure 1 for the last term [F], the rest [N]. Its magnitudes in Figure 1 look like losses
    in nats, so `p` is the loss by default: raw perplexity would let the topics of high perplexity decide alone.
    """

    step_size: float = 0.5
    """alpha. Not in the paper."""
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    """w by topic (or `language/source/topic`), 1 for a topic that is not named. Not in the paper."""
    measure: Literal["loss", "perplexity"] = "loss"
    normaliser: Normaliser = "max_abs"
    """`max_abs` and `sum_abs` divide by the largest and the summed change and keep its sign. `zscore` takes the change
    relative to the mean over the topics that were measured, in standard deviations, cut at 1. The paper's normaliser is
    unconfirmed."""
    noise_gate: float = 2.0
    """A change smaller than this many standard errors counts as none. Not in the paper."""
    bounds: Bounds = field(default_factory=Bounds)
    """Not in the paper."""

    def __post_init__(self) -> None:
        sizes, largest = [self.step_size, *self.weights.values()], max([1.0, *self.weights.values()])
        if not (all(size >= 0 for size in sizes) and self.step_size * largest < 1):
            raise ConfigError(
                f"step_size {self.step_size} times the largest weight {largest} must lie in [0, 1), so that no share "
                "becomes negative."
            )
        if not 0 <= self.noise_gate < math.inf:
            raise ConfigError(f"noise_gate is {self.noise_gate}; it must be a number that is not negative.")

    def next_shares(self, observed: Sequence[TopicLoss]) -> Decision:
        """Return the shares by the rule, within bounds.

        Raises:
            ConfigError: no shares of so many topics keep to the bounds.
        """
        changes = [self._change(o) for o in observed]
        silent = [self._why_silent(o, change) for o, change in zip(observed, changes, strict=True)]
        counted = [_counted(o, change, why) for o, change, why in zip(observed, changes, silent, strict=True)]
        normalised = normalise(counted, self.normaliser)
        deltas = [0.0 if why else delta for delta, why in zip(normalised, silent, strict=True)]
        wanted = [
            self._wanted(o, change, delta, why)
            for o, change, delta, why in zip(observed, changes, deltas, silent, strict=True)
        ]
        return settle(wanted, self.bounds, unused(self.weights, observed))

    def _wanted(self, o: TopicLoss, change: float, delta: float, silent: str) -> TopicTerm:
        factor = 1 + self.step_size * delta * value_of(self.weights, o, 1.0)
        went = silent or ("worse" if delta > 0 else "better" if delta < 0 else "no change")
        return TopicTerm(observed=o, share=o.share * factor, change=change, delta=delta, factor=factor, reason=went)

    def _change(self, o: TopicLoss) -> float:
        if self.measure == "loss" or o.before is None or not math.isfinite(o.loss):
            return o.change
        return math.exp(o.loss) - math.exp(o.before)

    def _why_silent(self, o: TopicLoss, change: float) -> str:
        """Say why a topic's change does not count; empty when it does."""
        if o.unknown or o.before is None:
            return o.unknown or "no loss to compare with"
        error = o.error * (math.exp(o.loss) if self.measure == "perplexity" else 1.0)
        if abs(change) < self.noise_gate * error:
            return f"within noise ({abs(change):.4f} is less than {self.noise_gate:g} x {error:.4f})"
        return ""


def normalise(changes: Sequence[float | None], how: Normaliser) -> list[float]:
    """Return the changes scaled into [-1, 1]; all 0 when there is nothing to scale by.

    None is the change of a topic that was not measured: it gives 0, and weighs nothing in the scale of the others.
    """
    known = [change for change in changes if change is not None]
    centre = math.fsum(known) / len(known) if how == "zscore" and known else 0.0
    sizes = [abs(change - centre) for change in known]
    match how:
        case "max_abs":
            unit = max(sizes, default=0.0)
        case "sum_abs":
            unit = math.fsum(sizes)
        case "zscore":
            unit = math.sqrt(math.fsum(size * size for size in sizes) / max(len(sizes), 1))
    if unit <= ROUNDING * max(map(abs, known), default=0.0):
        return [0.0] * len(changes)
    return [0.0 if change is None else max(-1.0, min(1.0, (change - centre) / unit)) for change in changes]


def _counted(o: TopicLoss, change: float, silent: str) -> float | None:
    """Return the change that counts: 0 of one within noise, none of a topic that was not measured."""
    if o.unknown or o.before is None:
        return None
    return 0.0 if silent else change
