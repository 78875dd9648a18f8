"""Controllers: the next topic shares from held-out losses. A controller is any frozen dataclass with `next_shares`.

Source of the rule: Llama-3-SynE (arXiv:2407.18743), the topic-based data mixture of stage I. The last line of the
update is read from its Figure 1 [F], the change of perplexity from a note on the paper [N]; step size, weights,
normaliser, noise gate, floor and cap are not in the paper.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from regraft.core import ConfigError
from regraft.mixture.projection import project

ROUNDING = 1e-9
"""Spread of the changes, relative to their size, that is no more than rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicLoss:
    """What is known of one topic when a controller decides."""

    topic: str
    share: float
    """Now, of all topics under control; they sum to 1."""
    loss: float
    """Held-out loss now, in nats a token."""
    before: float | None
    """The same at the decision before, in round 1 under the base model; None when it was not measured."""
    error: float = 0.0
    """Standard error of `loss - before`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicTerm:
    """How one share came about."""

    topic: str
    share: float
    """From here on."""
    loss: float
    change: float
    """Of the loss or perplexity since the decision before."""
    delta: float
    """The change, normalised to [-1, 1]; 0 when it is noise."""
    factor: float
    """By which the share was multiplied before all were scaled to sum to 1."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The next topic shares, which sum to 1, and how they came about, in the order of the observation."""

    terms: tuple[TopicTerm, ...]

    @property
    def shares(self) -> dict[str, float]:
        return {term.topic: term.share for term in self.terms}


class Controller(Protocol):
    """Decides topic shares: a pure function of what is observed."""

    def next_shares(self, observed: Sequence[TopicLoss]) -> Decision:
        """Return the shares of the observed topics from here on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Keeps all shares as they are."""

    def next_shares(self, observed: Sequence[TopicLoss]) -> Decision:
        """Return the shares observed."""
        return Decision(
            terms=tuple(
                TopicTerm(
                    topic=o.topic,
                    share=o.share,
                    loss=o.loss,
                    change=0.0 if o.before is None else o.loss - o.before,
                    delta=0.0,
                    factor=1.0,
                    reason="fixed",
                )
                for o in observed
            )
        )


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
    """w by topic, 1 for a topic that is not named. Not in the paper."""
    measure: Literal["loss", "perplexity"] = "loss"
    normaliser: Literal["max_abs", "sum_abs", "zscore"] = "max_abs"
    """`max_abs` and `sum_abs` divide by the largest and the summed change and keep its sign. `zscore` takes the change
    relative to the mean over the topics, in standard deviations, cut at 1. The paper's normaliser is unconfirmed."""
    noise_gate: float = 2.0
    """A change smaller than this many standard errors counts as none. Not in the paper."""
    floor: float = 0.0
    """Least share of a topic. Not in the paper."""
    cap: float = 1.0
    """Largest share of a topic. Not in the paper."""

    def __post_init__(self) -> None:
        largest = max([1.0, *self.weights.values()])
        if min([self.step_size, *self.weights.values()]) < 0 or self.step_size * largest >= 1:
            raise ConfigError(
                f"step_size {self.step_size} times the largest weight {largest} must lie in [0, 1), so that no share "
                "becomes negative."
            )
        if not 0 <= self.floor <= self.cap <= 1 or self.noise_gate < 0:
            raise ConfigError(f"floor {self.floor}, cap {self.cap} and noise_gate {self.noise_gate} are out of order.")

    def next_shares(self, observed: Sequence[TopicLoss]) -> Decision:
        """Return the shares by the rule; shares outside floor and cap are moved there and the others scaled alike.

        Raises:
            ConfigError: no shares of so many topics keep to floor and cap, or a weight names an unknown topic.
        """
        self._check_topics(observed)
        changes = [self._change(o) for o in observed]
        reasons = [self._reason(o, change) for o, change in zip(observed, changes, strict=True)]
        counted = [0.0 if reason else change for change, reason in zip(changes, reasons, strict=True)]
        deltas = [0.0 if r else d for d, r in zip(normalise(counted, self.normaliser), reasons, strict=True)]
        factors = [
            1 + self.step_size * d * self.weights.get(o.topic, 1.0) for o, d in zip(observed, deltas, strict=True)
        ]
        wanted = [o.share * f for o, f in zip(observed, factors, strict=True)]
        shares = project(wanted, self.floor, self.cap)
        return Decision(
            terms=tuple(
                TopicTerm(
                    topic=o.topic,
                    share=shares[i],
                    loss=o.loss,
                    change=changes[i],
                    delta=deltas[i],
                    factor=factors[i],
                    reason=reasons[i] or self._direction(o, deltas[i], shares[i]),
                )
                for i, o in enumerate(observed)
            )
        )

    def _check_topics(self, observed: Sequence[TopicLoss]) -> None:
        unknown = sorted(set(self.weights) - {o.topic for o in observed})
        if unknown:
            raise ConfigError(f"Weights are given for {unknown}, but the topics are {[o.topic for o in observed]}.")

    def _change(self, o: TopicLoss) -> float:
        if o.before is None or not math.isfinite(o.loss):
            return 0.0
        return math.exp(o.loss) - math.exp(o.before) if self.measure == "perplexity" else o.loss - o.before

    def _reason(self, o: TopicLoss, change: float) -> str:
        """Say why a topic's change does not count; empty when it does."""
        if o.before is None or not math.isfinite(o.loss):
            return "no loss to compare with"
        if not math.isfinite(o.error):
            return "too few held-out documents to tell"
        error = o.error * (math.exp(o.loss) if self.measure == "perplexity" else 1.0)
        if abs(change) < self.noise_gate * error:
            return f"within noise: {abs(change):.4f} is less than {self.noise_gate:g} x {error:.4f}"
        return ""

    def _direction(self, o: TopicLoss, delta: float, share: float) -> str:
        went = "worse" if delta > 0 else "better" if delta < 0 else "no change"
        moved = "more of it" if share > o.share else "less of it" if share < o.share else "as much of it"
        usual = (delta > 0) == (share > o.share) or share == o.share
        bound = f", held at {share:g}" if share in (self.floor, self.cap) else ""
        return f"{went}, {moved}{bound}" if usual else f"{went}, but others more so: {moved}{bound}"


def normalise(changes: Sequence[float], how: Literal["max_abs", "sum_abs", "zscore"]) -> list[float]:
    """Return the changes scaled into [-1, 1]; all 0 when there is nothing to scale by."""
    centre = math.fsum(changes) / len(changes) if how == "zscore" and changes else 0.0
    moved = [change - centre for change in changes]
    sizes = [abs(change) for change in moved]
    match how:
        case "max_abs":
            unit = max(sizes, default=0.0)
        case "sum_abs":
            unit = math.fsum(sizes)
        case "zscore":
            unit = math.sqrt(math.fsum(size * size for size in sizes) / max(len(sizes), 1))
    if unit <= ROUNDING * max(map(abs, changes), default=0.0):
        return [0.0] * len(moved)
    return [max(-1.0, min(1.0, change / unit)) for change in moved]
