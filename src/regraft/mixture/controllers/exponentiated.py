"""Exponentiated updates: shares that grow as exp(score)."""

import math
from collections.abc import Sequence

from regraft.mixture.controllers.decision import TopicLoss

Scores = Sequence[float | None]
"""One for each topic; None for a topic of which nothing is known."""
LOWEST = -300.0
"""Of a score against the highest: its weight is as good as none, but a cap on the others can still raise it."""


def softmax(scores: Scores) -> list[float | None]:
    """Return weights that stand to each other as exp(score) and sum to 1; a topic without a score has none."""
    highest = max((score for score in scores if score is not None), default=0.0)
    raised = [None if score is None else math.exp(max(score - highest, LOWEST)) for score in scores]
    whole = math.fsum(weight for weight in raised if weight is not None)
    return [None if weight is None else weight / whole for weight in raised]


def grown(observed: Sequence[TopicLoss], scores: Scores) -> list[float]:
    """Return each share times exp(score), scaled to sum to 1; a topic without a score keeps its share."""
    factors = softmax(scores)
    return shared_out(observed, [None if f is None else o.share * f for o, f in zip(observed, factors, strict=True)])


def shared_out(observed: Sequence[TopicLoss], weights: Scores) -> list[float]:
    """Return shares that stand to each other as the weights; a topic without a weight keeps its share."""
    whole = math.fsum(weight for weight in weights if weight is not None)
    rest = math.fsum(o.share for o, weight in zip(observed, weights, strict=True) if weight is not None)
    return [
        o.share if weight is None or not whole else rest * weight / whole
        for o, weight in zip(observed, weights, strict=True)
    ]


def ratio(wanted: float, now: float) -> float:
    """Return by what a share is multiplied; 1 for a share of 0, of which no multiple is another."""
    return wanted / now if now else 1.0
