"""Online data mixing: a bandit whose arms are the topics and whose reward is what is left to learn of them.

Source: ODM (arXiv:2312.02406), an EXP3 bandit. The exploration rate and the policy are read in a public implementation
of it. The moving average of rewards divided by the share is recalled [R]; the code that we read sums a tenth of each
instead. There an arm is drawn at each step and its training loss is the reward; here one decision sees the held-out
loss of all topics, so no arm is drawn and nothing is random.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from regraft.core import ConfigError
from regraft.mixture.controllers.bounds import Bounds
from regraft.mixture.controllers.decision import Decision, TopicLoss, TopicTerm, settle
from regraft.mixture.controllers.exponentiated import ratio, shared_out, softmax


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineMixing:
    """A topic gets more the higher its loss is and the less it was served, next to an even share that decays.

        R_i = a R_i + (1 - a) loss_i / r_i;  e_t = min(1 / n, sqrt(ln n / (n t)))
        r'_i = (1 - n e_t) exp(e_(t-1) R_i) / sum_j exp(e_(t-1) R_j) + e_t

    The memory of a topic is R_i, which begins at its first reward. The shares at the start leave their trace in R only:
    the policy is made anew at each decision. Source: see the module.
    """

    smoothing: float = 0.5
    """a. The value of the paper was not found; decisions are few here."""
    updates_per_decision: int = 100
    """t is the number of the decision times this. In the paper t counts updates of the bandit, thousands in a run; with
    1, n topics would be served evenly for the first n ln n decisions. Not in the paper."""
    bounds: Bounds = field(default_factory=Bounds)
    """Not in the paper."""

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1 or self.updates_per_decision < 1:
            raise ConfigError(
                f"smoothing {self.smoothing} must lie in [0, 1), updates_per_decision {self.updates_per_decision} must "
                "be at least 1."
            )

    def next_shares(self, observed: Sequence[TopicLoss]) -> Decision:
        """Return the shares by the rule, within bounds; a topic of which too little is known keeps its share.

        Raises:
            ConfigError: no shares of so many topics keep to the bounds.
        """
        n, t = sum(not o.unknown for o in observed), self.updates_per_decision * max(o.round for o in observed)
        now, before = exploration(n, t), exploration(n, t - 1)
        rewards = [None if o.unknown else self._reward(o, now) for o in observed]
        policy = softmax([None if reward is None else before * reward for reward in rewards])
        shares = shared_out(observed, [None if p is None else (1 - n * now) * p + now for p in policy])
        wanted = [
            TopicTerm(
                observed=o,
                share=share,
                change=o.change,
                delta=reward or 0.0,
                factor=ratio(share, o.share),
                memory=o.memory if reward is None else reward,
                reason=o.unknown if reward is None else f"reward {reward:.4g}, exploring with {n * now:.2f}",
            )
            for o, share, reward in zip(observed, shares, rewards, strict=True)
        ]
        return settle(wanted, self.bounds)

    def _reward(self, o: TopicLoss, least: float) -> float:
        """Return R; a share below what exploration alone would give counts as that, as no share of the policy is."""
        reward = o.loss / max(o.share, least)
        return self.smoothing * o.memory + (1 - self.smoothing) * reward if o.memory else reward


def exploration(num_arms: int, updates: int) -> float:
    """Return the share that each arm has for exploration alone after so many updates. Source: see the module."""
    if num_arms < 2 or updates < 1:
        return 1 / max(num_arms, 1)
    return min(1 / num_arms, math.sqrt(math.log(num_arms) / (num_arms * updates)))
