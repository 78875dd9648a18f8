"""The nearest distribution within bounds, and the way to it in small steps."""

import math
from collections.abc import Mapping, Sequence

from regraft.core import ConfigError

ROUNDING = 1e-12
"""By which a sum of bounds may miss 1, and a share that stays may differ from what it was."""


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
    if not math.fsum(weights) > 0:
        raise ConfigError(f"Shares of {n} topics with the weights {list(weights)} cannot be made.")
    if floor * n > 1 + ROUNDING or math.fsum(cap if weight > 0 else floor for weight in weights) < 1 - ROUNDING:
        raise ConfigError(
            f"{n} topics cannot have shares between {floor} and {cap} that sum to 1: the floor is at most {1 / n:.4g}, "
            f"the cap at least that."
        )
    shares = [0.0] * n
    free, rest = list(range(n)), 1.0
    while free:
        whole = math.fsum(weights[i] for i in free)
        wanted = {i: rest * (weights[i] / whole) if whole > 0 else rest / len(free) for i in free}
        held, bound = _outside(wanted, floor, cap)
        for i in held or free:
            shares[i] = bound if held else wanted[i]
        free = [i for i in free if i not in held] if held else []
        rest -= bound * len(held)
    return shares


def approach(now: Sequence[float], goal: Sequence[float], max_change: float) -> list[float]:
    """Return the shares on the straight way from `now` to `goal` at which the first one has moved by `max_change`.

    Both are distributions, so all between them are; whatever bounds hold at both ends hold on the way.
    """
    furthest = max((abs(b - a) for a, b in zip(now, goal, strict=True)), default=0.0)
    if furthest <= max_change:
        return list(goal)
    part = max_change / furthest
    return [_between(a, b, a + part * (b - a)) for a, b in zip(now, goal, strict=True)]


def _between(a: float, b: float, value: float) -> float:
    """Return `value`, which rounding may have put outside its ends."""
    return min(max(value, min(a, b)), max(a, b))


def _outside(wanted: Mapping[int, float], floor: float, cap: float) -> tuple[list[int], float]:
    """Return the shares that will end at a bound for certain, and that bound; none when all lie inside.

    Where more is cut off at the cap than is missing at the floor, all others grow, so what is over the cap stays over.
    """
    over = [i for i, share in wanted.items() if share > cap]
    under = [i for i, share in wanted.items() if share < floor]
    excess, lack = math.fsum(wanted[i] - cap for i in over), math.fsum(floor - wanted[i] for i in under)
    return (over, cap) if excess >= lack else (under, floor)
