"""A decision as rows of SHARES: every term of every stream."""

import math
from collections.abc import Mapping
from typing import Any

from regraft.mixture.controllers import TopicLoss, TopicTerm
from regraft.mixture.shares import StreamKey

Observed = Mapping[StreamKey, TopicLoss]
"""What is known of each stream before a decision; shares are of the whole mixture."""
Said = Mapping[StreamKey, TopicTerm | str]
"""Of some streams: the controller's term, or why it has none."""


def decision_rows(
    observed: Observed, shares: Mapping[StreamKey, float], said: Said, otherwise: str, guard: str = ""
) -> list[dict[str, Any]]:
    """Return a row for each stream, in the order of `shares`, without step and effective share.

    Args:
        observed: before the decision.
        shares: after it.
        said: of the streams that the decision is about.
        otherwise: reason of all others.
        guard: what the forgetting guard says, which concerns all.
    """
    also = f"; guard: {guard}" if guard else ""
    return [_row(observed[key], share, said.get(key, otherwise), also) for key, share in shares.items()]


def _row(seen: TopicLoss, share: float, said: TopicTerm | str, also: str) -> dict[str, Any]:
    term = said if isinstance(said, TopicTerm) else None
    return {
        "stream": seen.stream,
        "share_before": seen.share,
        "share": share,
        "loss": seen.loss,
        "loss_before": _known(seen.before),
        "initial_loss": _known(seen.initial),
        "target_loss": term.target if term else math.nan,
        "error": seen.error,
        "change": term.change if term else seen.change,
        "delta": term.delta if term else 0.0,
        "factor": term.factor if term else 1.0,
        "memory": term.memory if term else seen.memory,
        "reason": (term.reason if term else str(said)) + also,
    }


def _known(loss: float | None) -> float:
    return math.nan if loss is None else loss
