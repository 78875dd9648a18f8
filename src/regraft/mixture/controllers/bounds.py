"""Bounds of topic shares: a floor, a cap, and how far a decision may move them."""

from collections.abc import Sequence
from dataclasses import dataclass

from regraft.core import ConfigError
from regraft.mixture.projection import approach, project


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the shares of the topics of one source keep to, whatever a rule wants. None of it is in the paper."""

    floor: float = 0.0
    """Least share of a topic."""
    cap: float = 1.0
    """Largest share of a topic."""
    max_change: float = 1.0
    """By how much a share may change at one decision, as a fraction of the source: 0.03 moves none by more than three
    percentage points. When a rule wants more, the whole decision is made smaller, so that all moves keep their
    proportions. A share that starts outside floor and cap gets there over several decisions.

    Source: YuLan-Mini (arXiv:2412.17743) keeps the change between two phases within 3 % [Y]; of what is not known, so
    that it is absolute here is ours. A relative bound would hold a small topic fast and let a large one jump.
    """

    def __post_init__(self) -> None:
        if not 0 <= self.floor <= self.cap <= 1:
            raise ConfigError(f"floor {self.floor} and cap {self.cap} must lie in [0, 1], in this order.")
        if not 0 < self.max_change <= 1:
            raise ConfigError(f"max_change is {self.max_change}; it must lie in (0, 1].")

    def hold(self, now: Sequence[float], wanted: Sequence[float]) -> list[float]:
        """Return the shares nearest to `wanted` (any scale) within floor and cap, or as near as `max_change` lets.

        Raises:
            ConfigError: no shares of so many topics keep to floor and cap.
        """
        return approach(now, project(wanted, self.floor, self.cap), self.max_change)
