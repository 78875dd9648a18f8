"""The nearest distribution within bounds."""

import math
from collections.abc import Sequence

from regraft.core import ConfigError

ROUNDING = 1e-12
"""By which a sum of bounds may miss 1."""


def project(weights: Sequence[float], floor: float, cap: float) -> list[float]:
    """Return shares in [floor, cap] that sum to 1 and stand to each other as `weights` do wherever no bound holds one.

    This is the distribution within the bounds that is nearest to `weights` in relative entropy: each share is
    `clip(scale * weight, floor, cap)`. Clipping and scaling once would leave the bounds again.

    Args:
        weights: not negative, not all 0.
        floor: least share.
        cap: largest share.

    Raises:
        ConfigError: no such shares exist: `floor` is too high or `cap` too low; a weight of 0 stays at `floor`.
    """
    n = len(weights)
    if not n or math.fsum(weights) <= 0:
        raise ConfigError(f"Shares of {n} topics with the weights {list(weights)} cannot be made.")
    if floor * n > 1 + ROUNDING or math.fsum(cap if weight > 0 else floor for weight in weights) < 1 - ROUNDING:
        raise ConfigError(f"{n} topics cannot have shares between {floor} and {cap} that sum to 1.")
    scale = _scale(weights, floor, cap)
    return [_clip(scale * weight, floor, cap) for weight in weights]


def _scale(weights: Sequence[float], floor: float, cap: float) -> float:
    """Return the factor at which the clipped weights sum to 1: their sum is linear between the factors of the bends."""
    bends = sorted({bound / weight for weight in weights if weight > 0 for bound in (floor, cap)})
    low = 0.0
    for high in bends:
        below, above = _sum_at(low, weights, floor, cap), _sum_at(high, weights, floor, cap)
        if above >= 1:
            return low + (high - low) * (1 - below) / (above - below) if above > below else high
        low = high
    return low


def _sum_at(scale: float, weights: Sequence[float], floor: float, cap: float) -> float:
    return math.fsum(_clip(scale * weight, floor, cap) for weight in weights)


def _clip(value: float, floor: float, cap: float) -> float:
    return min(max(value, floor), cap)
