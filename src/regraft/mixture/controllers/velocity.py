"""Learning velocity: topics that lag on the way to their predicted loss get more.

Source: Velocitune (arXiv:2411.14318). That velocity comes from the initial and a target loss by topic, that the target
is predicted by a scaling law from a cheaper run, and that the weights grow as an exponential, favouring slow topics, is
in its abstract and in notes on it [A][N]. The quotient below is recalled [R]. What is cut and held is ours.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from regraft.core import ConfigError
from regraft.mixture.controllers.bounds import Bounds
from regraft.mixture.controllers.by_topic import required, unused
from regraft.mixture.controllers.decision import Decision, TopicLoss, TopicTerm, settle
from regraft.mixture.controllers.exponentiated import grown, ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Velocity:
    """A topic gets more the less of the way from its initial to its target loss it has gone.

        v_i = (loss_i - target_i) / (initial_i - target_i);  r'_i = r_i exp(eta v_i) / sum_j r_j exp(eta v_j)

    v is 1 at the start and 0 at the target, so neither the unit of the loss nor how hard a topic is matters. The first
    measurement after a start at which all topics have gone nowhere moves nothing. Source: see the module.
    """

    targets: Mapping[str, float]
    """Held-out loss in nats a token that each topic (or `language/source/topic`) is predicted to end at."""
    step_size: float = 1.0
    """eta. 1 [R]."""
    max_lag: float = 2.0
    """Where v is cut: 2 for a topic that went as far away from its target as it was. 0 is the lower cut: at its target
    or below it, a topic lags no more. Not in the paper."""
    bounds: Bounds = field(default_factory=Bounds)
    """Not in the paper."""

    def __post_init__(self) -> None:
        if not self.targets or not all(0 <= target < math.inf for target in self.targets.values()):
            raise ConfigError(f"targets are {dict(self.targets)}; give each topic a loss in nats a token.")
        if not (0 <= self.step_size < math.inf and self.max_lag >= 1):
            raise ConfigError(f"step_size is {self.step_size} and max_lag {self.max_lag}; give at least 0 and 1.")

    def next_shares(self, observed: Sequence[TopicLoss]) -> Decision:
        """Return the shares by the rule, within bounds; a topic of which too little is known keeps its share.

        Raises:
            ConfigError: a topic has no target, or no shares of so many topics keep to the bounds.
        """
        targets = [required(self.targets, o, "targets") for o in observed]
        lags = [self._lag(o, target) for o, target in zip(observed, targets, strict=True)]
        shares = grown(observed, [None if lag is None else self.step_size * lag for lag in lags])
        wanted = [
            TopicTerm(
                observed=o,
                share=share,
                change=o.change,
                delta=lag or 0.0,
                factor=ratio(share, o.share),
                target=target,
                reason=_reason(o, lag),
            )
            for o, share, lag, target in zip(observed, shares, lags, targets, strict=True)
        ]
        return settle(wanted, self.bounds, unused(self.targets, observed))

    def _lag(self, o: TopicLoss, target: float) -> float | None:
        """Return v, None when nothing is known; 0 for a topic that started at its target or below it."""
        if o.unknown or o.initial is None:
            return None
        if o.initial <= target:
            return 0.0
        return max(0.0, min(self.max_lag, (o.loss - target) / (o.initial - target)))


def _reason(o: TopicLoss, lag: float | None) -> str:
    if lag is None:
        return o.unknown or "no initial loss"
    return f"{100 * lag:.0f} % of the way to its target left" if lag else "at its target"
