"""Excess loss over a reference model: topics that could still be learned get more.

Source: DoReMi (arXiv:2305.10429), which runs this at every step of a small proxy model, averages the shares over the
run and trains the real model with the average. The update, the rate of 1 and the smoothing with the uniform
distribution are read in the code that its authors released; the smoothing of 1e-3 is recalled [R]. They cut the excess
at 0 token by token, here it is cut by topic, since held-out losses are known by document.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from regraft.core import ConfigError
from regraft.mixture.controllers.bounds import Bounds
from regraft.mixture.controllers.by_topic import required, unused
from regraft.mixture.controllers.decision import Decision, TopicLoss, TopicTerm, settle
from regraft.mixture.controllers.exponentiated import grown, ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcessLoss:
    """A topic gets more the further its loss lies above that of a reference model.

        e_i = max(0, loss_i - reference_i);  r'_i = (1 - c) r_i exp(eta e_i) / sum_j r_j exp(eta e_j) + c / n

    The memory of a topic is its mean share over the decisions in which it took part, which is what DoReMi is after.
    Source: see the module.
    """

    references: Mapping[str, float]
    """Held-out loss in nats a token of each topic (or `language/source/topic`) under the reference model."""
    step_size: float = 1.0
    """eta. 1 in the authors' notes on their code."""
    smoothing: float = 1e-3
    """c. 1e-3 [R]."""
    bounds: Bounds = field(default_factory=Bounds)
    """Not in the paper."""

    def __post_init__(self) -> None:
        if not self.references or not all(0 <= loss < math.inf for loss in self.references.values()):
            raise ConfigError(f"references are {dict(self.references)}; give each topic a loss in nats a token.")
        if not (0 <= self.step_size < math.inf and 0 <= self.smoothing <= 1):
            raise ConfigError(f"step_size {self.step_size} must not be negative, smoothing {self.smoothing} in [0, 1].")

    def next_shares(self, observed: Sequence[TopicLoss]) -> Decision:
        """Return the shares by the rule, within bounds; a topic of which too little is known is smoothed only.

        Raises:
            ConfigError: a topic has no reference, or no shares of so many topics keep to the bounds.
        """
        references = [required(self.references, o, "references") for o in observed]
        excess = [None if o.unknown else max(0.0, o.loss - r) for o, r in zip(observed, references, strict=True)]
        shares = grown(observed, [None if e is None else self.step_size * e for e in excess])
        smoothed = [(1 - self.smoothing) * share + self.smoothing / len(shares) for share in shares]
        wanted = [
            TopicTerm(
                observed=o,
                share=share,
                change=o.change,
                delta=e or 0.0,
                factor=ratio(share, o.share),
                target=reference,
                reason=_reason(o, e),
            )
            for o, share, e, reference in zip(observed, smoothed, excess, references, strict=True)
        ]
        decision = settle(wanted, self.bounds, unused(self.references, observed))
        return replace(decision, terms=tuple(replace(t, memory=_mean_share(t)) for t in decision.terms))


def _mean_share(term: TopicTerm) -> float:
    mean, n = term.observed.memory, term.observed.round
    return mean + (term.share - mean) / n


def _reason(o: TopicLoss, excess: float | None) -> str:
    if excess is None:
        return o.unknown
    return f"{excess:.4f} above its reference" if excess else "at its reference or below"
