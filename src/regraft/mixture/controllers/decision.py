"""What a controller is given, what it answers, and how what a rule wants becomes shares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from regraft.mixture.controllers.bounds import Bounds
from regraft.mixture.projection import ROUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicLoss:
    """What is known of one topic when a controller decides. Losses are held out, in nats a token."""

    topic: str
    share: float
    """Now, of all topics that take part; they sum to 1. A topic whose documents have ended takes no part."""
    loss: float
    """Now; NaN when it was not measured."""
    before: float | None
    """At the decision before, in round 1 under the model that training started from; None when not measured."""
    error: float = 0.0
    """Standard error of `loss - before`; infinite when there are too few documents to tell."""
    initial: float | None = None
    """Under the model that training started from; None when not measured."""
    memory: float = 0.0
    """What the controller noted of this topic at its last decision; 0 when there was none."""
    round: int = 1
    """Which decision on this topic this is, from 1; one in which it took no part does not count."""
    stream: str = ""
    """`language/source/topic`, for settings that differ between languages."""

    @property
    def change(self) -> float:
        """Of the loss since the decision before; 0 when one of both was not measured."""
        return 0.0 if self.before is None or not math.isfinite(self.loss) else self.loss - self.before

    @property
    def unknown(self) -> str:
        """Why nothing can be made of the loss; empty when it can."""
        if not math.isfinite(self.loss):
            return "no held-out loss"
        return "" if math.isfinite(self.error) else "too few held-out documents to tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicTerm:
    """How one share came about."""

    observed: TopicLoss
    share: float
    """From here on. In what a rule hands to `settle`: the share that it wants, on any scale."""
    change: float
    """Of the loss, or of the perplexity where the rule measures that, since the decision before."""
    delta: float
    """What the rule makes of the observation: a normalised change, a velocity, an excess loss, a reward."""
    factor: float
    """By which the rule multiplied the share, before bounds."""
    target: float = math.nan
    """Loss that the rule compares with; NaN when there is none."""
    memory: float = 0.0
    """What the next decision finds as `TopicLoss.memory`."""
    reason: str

    @property
    def topic(self) -> str:
        return self.observed.topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The next topic shares, which sum to 1, and how they came about, in the order of the observation."""

    terms: tuple[TopicTerm, ...]
    unused: frozenset[str] = frozenset()
    """Names in the controller's settings that no observed topic has. One that no source has is a mistake."""

    @property
    def shares(self) -> dict[str, float]:
        return {term.topic: term.share for term in self.terms}


class Controller(Protocol):
    """Decides topic shares: a pure function of what is observed."""

    def next_shares(self, observed: Sequence[TopicLoss]) -> Decision:
        """Return the shares of the observed topics from here on.

        Raises:
            ConfigError: the settings do not fit these topics.
        """
        ...


def settle(wanted: Sequence[TopicTerm], bounds: Bounds, unused: frozenset[str] = frozenset()) -> Decision:
    """Return the decision that comes nearest to what a rule wants: shares within bounds, reasons that say what moved.

    Raises:
        ConfigError: no shares of so many topics keep to the bounds.
    """
    now = [term.observed.share for term in wanted]
    shares = bounds.hold(now, [term.share for term in wanted])
    furthest = max((abs(b - a) for a, b in zip(now, shares, strict=True)), default=0.0)
    slowed = f", at most {bounds.max_change:g} at once" if math.isclose(furthest, bounds.max_change) else ""
    return Decision(
        terms=tuple(
            replace(term, share=share, reason=f"{term.reason}, {_direction(term, share, bounds)}{slowed}")
            for term, share in zip(wanted, shares, strict=True)
        ),
        unused=unused,
    )


def _direction(term: TopicTerm, share: float, bounds: Bounds) -> str:
    """Say what became of a share. One whose factor is above 1 may still fall, since others grew by more."""
    by = share - term.observed.share
    moved = "as much of it" if abs(by) <= ROUNDING else "more of it" if by > 0 else "less of it"
    against = abs(by) > ROUNDING and (term.factor - 1) * by < 0
    held = f", held at {share:g}" if share in (bounds.floor, bounds.cap) else ""
    return f"but others more so: {moved}{held}" if against else f"{moved}{held}"
