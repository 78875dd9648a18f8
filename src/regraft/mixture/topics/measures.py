"""How good a classifier is: accuracy, precision and recall with intervals, confusion and calibration. Pure functions.

Source of the interval: Wilson (1927), which holds for few documents and for shares near 0 and 1; calibration error as
in Guo et al., arXiv:1706.04599. None of it is in the paper.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from regraft.core import ConfigError

BINS = 10
"""Of equal width, over the probability of the topic found."""
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One labelled document: its topic, the one that a classifier found, and how probable it held it."""

    topic: str
    found: str
    """`Others` where `best` was not probable enough."""
    best: str
    """The most probable topic."""
    probability: float
    """Of `best`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A share with its 95 % interval; NaN where there is nothing to take it of."""

    measure: str
    topic: str
    """Empty for all topics."""
    value: float
    low: float
    high: float
    n: int
    """Documents that it is a share of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The documents whose topic was held as probable as between `low` and `high`."""

    low: float
    high: float
    confidence: float
    """Mean probability."""
    accuracy: float
    n: int


def figures(judged: Sequence[Judged]) -> list[Figure]:
    """Return accuracy, then precision and recall of each topic, in the order of their names.

    `expected_calibration_error` is of the most probable topic, before any threshold; it has no interval.
    """
    topics = sorted({j.topic for j in judged} | {j.found for j in judged})
    right = Counter(j.topic for j in judged if j.topic == j.found)
    labelled, found = Counter(j.topic for j in judged), Counter(j.found for j in judged)
    error = calibration_error(reliability(judged))
    return [
        share("accuracy", "", right.total(), len(judged)),
        Figure(measure="expected_calibration_error", topic="", value=error, low=math.nan, high=math.nan, n=len(judged)),
        *(share("precision", topic, right[topic], found[topic]) for topic in topics),
        *(share("recall", topic, right[topic], labelled[topic]) for topic in topics),
    ]


def share(measure: str, topic: str, count: int, n: int) -> Figure:
    """Return `count` of `n` with its Wilson interval."""
    low, high = wilson(count, n)
    return Figure(measure=measure, topic=topic, value=count / n if n else math.nan, low=low, high=high, n=n)


def wilson(count: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of which `count` of `n` were seen; (NaN, NaN) for none of none.

    Raises:
        ConfigError: `count` is no number from 0 to `n`.
    """
    if not 0 <= count <= n:
        raise ConfigError(f"{count} of {n} is no share.")
    if not n:
        return math.nan, math.nan
    p, z2 = count / n, _Z * _Z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, centre - half) if count else 0.0, min(1.0, centre + half) if count < n else 1.0


def confusion(judged: Iterable[Judged]) -> Iterator[tuple[str, str, int]]:
    """Yield topic, topic found and number of documents, sorted; pairs that never occur are left out."""
    counts = Counter((j.topic, j.found) for j in judged)
    yield from ((topic, found, counts[topic, found]) for topic, found in sorted(counts))


def reliability(judged: Iterable[Judged]) -> list[Bin]:
    """Return how often the most probable topic is right, by its probability; empty bins are left out."""
    members: dict[int, list[Judged]] = {}
    for j in judged:
        members.setdefault(min(int(j.probability * BINS), BINS - 1), []).append(j)
    return [
        Bin(
            low=index / BINS,
            high=(index + 1) / BINS,
            confidence=math.fsum(j.probability for j in inside) / len(inside),
            accuracy=sum(j.topic == j.best for j in inside) / len(inside),
            n=len(inside),
        )
        for index, inside in sorted(members.items())
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the mean distance of confidence and accuracy over all documents; NaN without any."""
    n = sum(b.n for b in bins)
    return math.fsum(b.n * abs(b.confidence - b.accuracy) for b in bins) / n if n else math.nan
