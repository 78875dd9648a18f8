"""Shares of the mixture: groups of sources, sources, topics; and whole numbers of sequences out of shares.

A *stream* is a cell (language, source, topic). Shares multiply: group share x source share x topic share. They are
fractions of sequences, and all sequences are equally long.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from regraft.core import ConfigError

K = TypeVar("K")
TOLERANCE = 1e-9
"""How far from 1 written shares may sum."""


@dataclass(frozen=True, slots=True, order=True)
class StreamKey:
    """One cell of the mixture; `str()` gives `language/source/topic`."""

    language: str
    source: str
    topic: str

    def __post_init__(self) -> None:
        if "/" in self.language or "/" in self.source:
            raise ConfigError(f"{self.language!r}, {self.source!r}: a language or source must have no '/' in its name.")

    def __str__(self) -> str:
        return f"{self.language}/{self.source}/{self.topic}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source of documents and its share of its group."""

    name: str
    share: float
    language: str = ""
    """Only documents in this language; empty for all."""
    max_epochs: float = 1.0
    """How often each sequence may be served at most; 1.5 serves the first half of each of its streams twice."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.max_epochs) and self.max_epochs >= 1):
            raise ConfigError(f"max_epochs of the source {self.name!r} is {self.max_epochs}; give 1 or more.")

    def holds(self, key: StreamKey) -> bool:
        """Return whether a stream belongs to this source."""
        return key.source == self.name and self.language in ("", key.language)

    def overlaps(self, other: "Source") -> bool:
        """Return whether a stream may belong to both."""
        return self.name == other.name and (self.language == other.language or "" in (self.language, other.language))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Sources whose joint share is held, such as all Chinese ones."""

    name: str
    share: float
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """What share of the training sequences comes from where, and what happens when a stream has no more."""

    groups: tuple[Group, ...]
    exhausted: Literal["renormalise", "stop"] = "renormalise"
    """When a stream has served all it may: `renormalise` passes its share to live streams of its source, else of its
    group, else to all others; under `stop` nothing more is served."""

    def __post_init__(self) -> None:
        _check_shares("groups", [(group.name, group.share) for group in self.groups])
        for group in self.groups:
            _check_shares(
                f"sources of group {group.name!r}", [(f"{s.language or '*'}/{s.name}", s.share) for s in group.sources]
            )
        sources = [source for group in self.groups for source in group.sources]
        for i, source in enumerate(sources):
            if any(source.overlaps(other) for other in sources[:i]):
                raise ConfigError(f"The source {source.name!r} stands twice in the mixture; name each once.")

    def place(self, key: StreamKey) -> tuple[Group, Source] | None:
        """Return the group and the source that a stream belongs to, None when the mixture does not use it."""
        return next(((g, s) for g in self.groups for s in g.sources if s.holds(key)), None)

    def capacity(self, key: StreamKey, sequences: int) -> int:
        """Return how many sequences a stream of `sequences` serves at most; 0 when the mixture does not use it."""
        place = self.place(key)
        return math.floor(round(sequences * place[1].max_epochs, 6)) if place else 0  # 100 x 1.15 is less than 115


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """What a token budget means for one source."""

    group: str
    """Empty for a source that the mixture does not use."""
    source: str
    share: float
    """Of the whole mixture."""
    planned: int
    """Sequences."""
    supply: int
    """Sequences there are."""
    epochs: float
    """Planned over supply; 0 when there is no supply."""
    shortfall: int
    """Planned sequences that the source cannot serve, `max_epochs` included."""


def initial_shares(mixture: Mixture, supply: Mapping[StreamKey, int]) -> dict[StreamKey, float]:
    """Return the share of each stream that the mixture uses, in sorted order; they sum to 1.

    Within a source the topics stand as they occur: in proportion to their supply.

    Args:
        mixture: the shares of groups and sources.
        supply: sequences of each stream.

    Raises:
        ConfigError: a source with a share has no sequences; the message says what there is.
    """
    shares: dict[StreamKey, float] = {}
    for group in mixture.groups:
        for source in group.sources:
            sequences = {key: n for key, n in supply.items() if source.holds(key)}
            total = sum(sequences.values())
            if not total and group.share * source.share > 0:
                raise ConfigError(_nothing_there(group, source, supply))
            shares |= {key: group.share * source.share * n / total if n else 0.0 for key, n in sequences.items()}
    return dict(sorted(shares.items()))


def whole_counts(shares: Mapping[K, float], total: int) -> dict[K, int]:
    """Return whole numbers that sum to `total`, each less than 1 away from its share of it; largest remainders first.

    Equal remainders are served in the order of `shares`.
    """
    whole = math.fsum(shares.values())
    ideal = {key: total * share / whole for key, share in shares.items()}
    counts = {key: math.floor(value) for key, value in ideal.items()}
    by_remainder = sorted(ideal, key=lambda key: counts[key] - ideal[key])
    for key in by_remainder[: total - sum(counts.values())]:
        counts[key] += 1
    return counts


def planned_budget(mixture: Mixture, supply: Mapping[StreamKey, int], total: int) -> list[BudgetLine]:
    """Return what `total` sequences mean for each source, in the order of the mixture, unused sources last."""
    cells = {(g.name, s.name, s): g.share * s.share for g in mixture.groups for s in g.sources}
    planned = whole_counts(cells, total)
    lines = [
        _budget_line(group, name, share, planned[group, name, source], _held(source, supply), mixture)
        for (group, name, source), share in cells.items()
    ]
    unused: dict[str, dict[StreamKey, int]] = {}
    for key, n in sorted(supply.items()):
        if mixture.place(key) is None:
            unused.setdefault(key.source, {})[key] = n
    return lines + [_budget_line("", name, 0.0, 0, streams, mixture) for name, streams in unused.items()]


def _held(source: Source, supply: Mapping[StreamKey, int]) -> dict[StreamKey, int]:
    return {key: n for key, n in supply.items() if source.holds(key)}


def _budget_line(
    group: str, source: str, share: float, planned: int, streams: Mapping[StreamKey, int], mixture: Mixture
) -> BudgetLine:
    supply = sum(streams.values())
    capacity = sum(mixture.capacity(key, n) for key, n in streams.items())
    return BudgetLine(
        group=group,
        source=source,
        share=share,
        planned=planned,
        supply=supply,
        epochs=planned / supply if supply else 0.0,
        shortfall=max(0, planned - capacity),
    )


def _check_shares(what: str, named: list[tuple[str, float]]) -> None:
    names = [name for name, _ in named]
    if len(set(names)) != len(names):
        raise ConfigError(f"The {what} are {names}; name each once.")
    if any(not 0 <= share <= 1 for _, share in named) or abs(math.fsum(share for _, share in named) - 1) > TOLERANCE:
        raise ConfigError(f"The shares of the {what} are {dict(named)}; they must lie in [0, 1] and sum to 1.")


def _nothing_there(group: Group, source: Source, supply: Mapping[StreamKey, int]) -> str:
    cells = sorted({f"{key.language}/{key.source}" for key, n in supply.items() if n})
    asked = f"{source.language or '*'}/{source.name}"
    return (
        f"The source {asked} of group {group.name!r} has no sequences; there are {cells or 'none at all'}. "
        "What an earlier training consumed may have been left out."
    )
