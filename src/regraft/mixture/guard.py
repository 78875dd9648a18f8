"""The forgetting guard: when text that the model must not forget gets worse, replay is raised, or training stops.

It stands above the controller: the controller moves topics within a source, the guard moves groups. Nothing of it is in
the paper, which protects English by its 80 % alone; that replay protects is well shown (arXiv:2403.08763).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from regraft.core import ConfigError
from regraft.mixture.shares import TOLERANCE, Mixture, StreamKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """How far the held-out loss of one protected text has risen."""

    name: str
    """`language/source`."""
    rise: float
    """Above the loss under the model that training started from, in nats a token; negative when it fell."""
    error: float
    """Standard error of `rise`; infinite when there are too few documents to tell."""

    def __str__(self) -> str:
        return f"{self.name} is {self.rise:+.4f} ± {self.error:.4f} nats a token against the start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the guard decides and why."""

    replay: float
    """Share of the replay group from here on."""
    stop: bool = False
    """Whether training ends here, with the model as it is."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgettingGuard:
    """Raises the share of a replay group while protected text gets worse, lowers it again after, stops at the worst.

    A rise counts when it is beyond its limit and beyond noise. The worst one decides: above `stop_limit` training ends;
    above `limit` the replay group gets `step` more, up to `cap`, and all other groups are scaled alike. Once every rise
    is below `release` times the limit, replay is lowered by `step`, down to the share that was planned; in between it
    stays, so that it does not swing. All of these are settings that are not in the paper.
    """

    protected: tuple[str, ...]
    """Sources, trained on or not, whose held-out loss is watched: each language by itself, all its topics together."""
    replay: str = ""
    """Group of the mixture that is raised; empty when training can only be stopped."""
    limit: float = 0.05
    """Rise in nats a token: 0.05 is about 5 % more perplexity."""
    stop_limit: float = 0.0
    """Rise at which training stops; 0 for never."""
    noise_gate: float = 2.0
    """A rise of fewer standard errors than this does not count."""
    step: float = 0.05
    """By which the share of the replay group is raised or lowered at one decision."""
    cap: float = 0.9
    """Largest share that the guard gives to the replay group."""
    release: float = 0.5

    def __post_init__(self) -> None:
        if not self.protected or not (self.replay or self.stop_limit):
            raise ConfigError("A ForgettingGuard needs protected sources, and a replay group or a stop_limit.")
        stops = self.stop_limit == 0 or self.stop_limit >= self.limit
        if not (0 < self.limit < math.inf and stops and 0 <= self.noise_gate < math.inf):
            raise ConfigError(
                f"limit {self.limit} must be positive, stop_limit {self.stop_limit} not below it or 0, noise_gate "
                f"{self.noise_gate} not negative."
            )
        if not (0 < self.step <= 1 and 0 < self.cap < 1 and 0 <= self.release <= 1):
            raise ConfigError(
                f"step {self.step} must lie in (0, 1], cap {self.cap} in (0, 1), release {self.release} in [0, 1]."
            )

    def check(self, mixture: Mixture) -> None:
        """Pass when the replay group is one that can be raised.

        Raises:
            ConfigError: the mixture has no such group, plans nothing of it or as much as the cap.
        """
        planned = {group.name: group.share for group in mixture.groups}
        if self.replay and not 0 < planned.get(self.replay, 0.0) < self.cap:
            raise ConfigError(
                f"The guard raises the group {self.replay!r} up to {self.cap}; the mixture plans {planned}. It must "
                "plan some of it, and less than that."
            )

    def judge(self, rises: Sequence[Rise], planned: float, now: float, *, live: bool = True) -> Verdict:
        """Return the share of the replay group from here on, and whether training stops.

        Args:
            rises: of all protected text.
            planned: share of the replay group in the mixture.
            now: its share until here.
            live: whether the replay group has documents left, and others too: else it is served no more for it.
        """
        counted = [r for r in rises if r.rise > max(self.limit, self.noise_gate * r.error)]
        worst = max(counted, key=lambda r: (r.rise, r.name), default=None)
        if worst is None:
            return self._release(rises, planned, now)
        if self.stop_limit and worst.rise > self.stop_limit:
            return Verdict(replay=now, stop=True, reason=f"{worst}, beyond {self.stop_limit:g}: training stops")
        said = f"{worst}, beyond {self.limit:g}"
        if not (self.replay and live):
            return Verdict(replay=now, reason=f"{said}: replay cannot be raised")
        share = min(now + self.step, max(self.cap, now))
        raised = f"raised to {share:.4g}" if share > now + TOLERANCE else f"at its cap of {now:.4g}"
        return Verdict(replay=share, reason=f"{said}: replay {raised}")

    def _release(self, rises: Sequence[Rise], planned: float, now: float) -> Verdict:
        if now <= planned + TOLERANCE:
            return Verdict(replay=now, reason="")
        bound = self.release * self.limit
        if any(r.rise > bound for r in rises):
            return Verdict(replay=now, reason=f"not all protected text is within {bound:g} of the start: replay stays")
        share = max(now - self.step, planned)
        return Verdict(
            replay=share, reason=f"protected text is within {bound:g} of the start: replay lowered to {share:.4g}"
        )


def group_share(mixture: Mixture, shares: Mapping[StreamKey, float], group: str) -> float:
    """Return the share of all streams of a group."""
    return sum(share for key, share in shares.items() if _is_of(mixture, key, group))


def with_group_share(
    mixture: Mixture, shares: Mapping[StreamKey, float], group: str, share: float
) -> dict[StreamKey, float]:
    """Return `shares` with a group moved to `share`; streams of the group keep their proportions, all others theirs."""
    now = group_share(mixture, shares, group)
    inside, outside = share / now, (1 - share) / (1 - now)
    return {key: s * (inside if _is_of(mixture, key, group) else outside) for key, s in shares.items()}


def _is_of(mixture: Mixture, key: StreamKey, group: str) -> bool:
    place = mixture.place(key)
    return place is not None and place[0].name == group
