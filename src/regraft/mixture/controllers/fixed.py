"""The controller that does nothing: what every other one is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

from regraft.mixture.controllers.decision import Decision, TopicLoss, TopicTerm


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Keeps all shares as they are."""

    def next_shares(self, observed: Sequence[TopicLoss]) -> Decision:
        """Return the shares observed."""
        return Decision(
            terms=tuple(
                TopicTerm(observed=o, share=o.share, change=o.change, delta=0.0, factor=1.0, reason="fixed")
                for o in observed
            )
        )
