"""From held-out losses to the shares of all streams: asks controller and guard and says why as rows of SHARES."""

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from regraft.core import ConfigError
from regraft.mixture.controllers import TopicLoss, TopicTerm
from regraft.mixture.guard import Verdict
from regraft.mixture.shares import StreamKey
from regraft.training.decision_rows import Observed, Said, decision_rows
from regraft.training.protection import Losses, guarded, rises
from regraft.training.train import TrainConfig
from regraft.training.validation import Measured, standard_error

Shares = Mapping[StreamKey, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering:
    """What the next decision needs of those before: held-out losses by stream and document, memories by stream."""

    initial: Losses = field(default_factory=dict[str, tuple[float, ...]])
    """Under the model that training started from."""
    before: Losses = field(default_factory=dict[str, tuple[float, ...]])
    """At the last decision."""
    memory: Mapping[str, float] = field(default_factory=dict[str, float])
    """What the controller noted of each topic at its last decision."""
    decisions: Mapping[str, int] = field(default_factory=dict[str, int])
    """Of the controller so far, in which each stream took part."""

    def to_json(self) -> dict[str, Any]:
        return {"initial": self.initial, "before": self.before, "memory": self.memory, "decisions": self.decisions}

    @staticmethod
    def from_json(state: Mapping[str, Any]) -> "Steering":
        initial, before = ({s: tuple(of) for s, of in state[name].items()} for name in ("initial", "before"))
        return Steering(initial=initial, before=before, memory=state["memory"], decisions=state["decisions"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered:
    """One decision."""

    shares: Shares
    """From here on."""
    steering: Steering
    """For the next decision."""
    rows: list[dict[str, Any]]
    """Of SHARES, one for each stream in the order of `shares`, without step and effective share."""
    verdict: Verdict | None = None
    """Of the guard; None where there is none."""


def start(
    config: TrainConfig, shares: Shares, ended: Set[StreamKey], measured: Mapping[StreamKey, Measured]
) -> Steered:
    """Return the shares as they are, with the losses under the base model to compare with later.

    Raises:
        ConfigError: controller or guard do not fit the topics or the held-out text; told before a step is taken.
    """
    losses = {str(key): m.losses for key, m in measured.items()}
    steering = Steering(initial=losses, before=losses)
    observed = _observe(steering, shares, measured)
    if config.num_decisions:
        _check_controller(config, observed, ended)
    if config.guard:
        rises(config.guard.protected, losses, measured)
    return Steered(shares=shares, steering=steering, rows=decision_rows(observed, shares, {}, "start"))


def steer(
    config: TrainConfig,
    steering: Steering,
    shares: Shares,
    ended: Set[StreamKey],
    measured: Mapping[StreamKey, Measured],
) -> Steered:
    """Return the shares after one decision: the controller moves topics of its sources, then the guard moves groups.

    Topics whose streams have ended take no part: their shares stay what they were, and the live ones divide the rest.
    """
    observed = _observe(steering, shares, measured)
    said: dict[StreamKey, TopicTerm | str] = {key: "no share, takes no part" for key, s in shares.items() if not s}
    said |= dict.fromkeys(ended, "ended, takes no part")
    for cell in _controlled(config, shares):
        decided = _decide(config, _live(cell, observed, ended), whole=ended.isdisjoint(cell))
        shares = _moved(shares, decided)
        said |= decided
    verdict = None
    if config.guard:
        seen = rises(config.guard.protected, steering.initial, measured)
        shares, verdict = guarded(config.guard, config.mixture, shares, ended, seen)
    rows = decision_rows(observed, shares, said, "not controlled", verdict.reason if verdict else "")
    return Steered(shares=shares, steering=_after(steering, said, measured), rows=rows, verdict=verdict)


def _observe(steering: Steering, shares: Shares, measured: Mapping[StreamKey, Measured]) -> Observed:
    return {key: _observe_stream(steering, key, share, measured.get(key)) for key, share in shares.items()}


def _observe_stream(steering: Steering, key: StreamKey, share: float, now: Measured | None) -> TopicLoss:
    seen = TopicLoss(
        topic=key.topic,
        stream=str(key),
        share=share,
        loss=now.per_token if now else math.nan,
        before=None,
        error=math.inf,
        memory=steering.memory.get(str(key), 0.0),
        round=steering.decisions.get(str(key), 0) + 1,
    )
    before, initial = steering.before.get(str(key)), steering.initial.get(str(key))
    if now is None or before is None or initial is None:
        return seen
    risen = [a - b for a, b in zip(now.losses, before, strict=True)]
    return replace(
        seen,
        before=math.fsum(before) / now.tokens,
        initial=math.fsum(initial) / now.tokens,
        error=standard_error(risen, now.lengths),
    )


def _controlled(config: TrainConfig, shares: Mapping[StreamKey, object]) -> list[list[StreamKey]]:
    """Return the streams of each language of each controlled source."""
    cells: dict[tuple[str, str], list[StreamKey]] = {}
    for key in shares:
        if key.source in config.controlled_sources:
            cells.setdefault((key.language, key.source), []).append(key)
    return list(cells.values())


def _live(cell: Sequence[StreamKey], observed: Observed, ended: Set[StreamKey]) -> dict[StreamKey, TopicLoss]:
    """Return what is observed of the streams of a cell that take part; their shares sum to 1, or there are none.

    A stream of no share is one of which there is nothing: a floor must not give it what it cannot serve.
    """
    keys = [key for key in cell if key not in ended and observed[key].share > 0]
    whole = math.fsum(observed[key].share for key in keys)
    return {key: replace(observed[key], share=observed[key].share / whole) for key in keys}


def _check_controller(config: TrainConfig, observed: Observed, ended: Set[StreamKey]) -> None:
    """Let the controller decide once for nothing, so that what does not fit is known before training."""
    lives = [_live(cell, observed, ended) for cell in _controlled(config, observed)]
    unused = [config.controller.next_shares(list(live.values())).unused for live in lives if live]
    nowhere = frozenset.intersection(*unused) if unused else frozenset[str]()
    if nowhere:
        raise ConfigError(
            f"The controller names {sorted(nowhere)}, which no controlled source has; there are "
            f"{sorted(str(key) for live in lives for key in live)}."
        )


def _decide(config: TrainConfig, live: Mapping[StreamKey, TopicLoss], whole: bool) -> Said:
    """Return the terms of the controller; after topics have ended, the rest may not fit its bounds, and stays."""
    if not live:
        return {}
    try:
        terms = {term.topic: term for term in config.controller.next_shares(list(live.values())).terms}
    except ConfigError as error:
        if whole:
            raise
        return dict.fromkeys(live, f"kept, since topics have ended: {error}")
    if set(terms) != {key.topic for key in live}:
        raise ConfigError(f"{config.controller} decides on {sorted(terms)}, not on {[key.topic for key in live]}.")
    return {key: terms[key.topic] for key in live}


def _moved(shares: Shares, said: Said) -> Shares:
    """Return `shares` with those that a term is said of divided anew by it; their sum stays what it was."""
    terms = {key: term for key, term in said.items() if isinstance(term, TopicTerm)}
    whole = math.fsum(shares[key] for key in terms)
    return {**shares, **{key: whole * term.share for key, term in terms.items()}}


def _after(steering: Steering, said: Said, measured: Mapping[StreamKey, Measured]) -> Steering:
    noted = {str(key): term.memory for key, term in said.items() if isinstance(term, TopicTerm)}
    counted = {stream: steering.decisions.get(stream, 0) + 1 for stream in noted}
    return replace(
        steering,
        before={str(key): m.losses for key, m in measured.items()},
        memory={**steering.memory, **noted},
        decisions={**steering.decisions, **counted},
    )
