"""Intervals and tests for figures that are a ratio of sums over items; pure NumPy.

A figure is `sum(value) / sum(weight)` over items: bits over bytes, right answers over questions. Before and after are
always compared on the *same* items: an unpaired test throws away most of the evidence. Items that are not independent
(pages of one book, questions on one passage) share a cluster, and clusters are what is resampled.

Shapes: `N` items, `K` columns, `R` resamples.

Source: paired difference with clustered resampling: Miller, arXiv 2411.00640; the percentile bootstrap, the exact
McNemar test and the Wilson interval are textbook; the percentiles are moved outwards for few clusters: Hesterberg,
arXiv 1411.5279, "expanded percentile". None of this is in the paper, which reports no intervals.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

RESAMPLES = 10_000
CONFIDENCE = 0.95
MIN_ITEMS = 10
"""With fewer there is no interval. Not in the paper."""
MIN_CLUSTERS = 5
"""With fewer there is no interval; with few it is rough, so their number stands beside it. Not in the paper."""
_PICKS_AT_ONCE = 2_000_000
"""Bounds memory: 16 MB of picked indices, whatever the number of items."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the bounds of its 95 % interval; NaN bounds where there is too little to say."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class McNemar:
    """Items that changed from wrong to right and back, with the exact two-sided p-value of that split."""

    gained: int
    lost: int
    p: float


def ratio(
    value: ArrayLike,
    weight: ArrayLike,
    *,
    clusters: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return `sum(value) / sum(weight)` with its bootstrap interval over clusters; without any, over items.

    Raises:
        ValueError: no items, lengths that differ, a negative or all-zero weight, a value that is not finite.
    """
    return _bootstrap(lambda v, w: v / w, _columns([value, weight], [weight]), clusters, resamples, seed)


def relative_change(
    before: tuple[ArrayLike, ArrayLike],
    after: tuple[ArrayLike, ArrayLike],
    *,
    clusters: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return `after / before - 1` of two ratios on the same items, each a pair (value, weight), resampled together.

    Raises:
        ValueError: as `ratio`, or the ratio before is 0.
    """
    columns = _columns([*before, *after], [before[1], after[1]])
    if not columns[0].sum():
        raise ValueError("the figure before is 0: a relative change is not defined. Use `difference`.")
    return _bootstrap(lambda bv, bw, av, aw: (av / aw) / (bv / bw) - 1, columns, clusters, resamples, seed)


def difference(
    before: tuple[ArrayLike, ArrayLike],
    after: tuple[ArrayLike, ArrayLike],
    *,
    clusters: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return `after - before` of two ratios on the same items, each a pair (value, weight), resampled together.

    Raises:
        ValueError: as `ratio`.
    """
    columns = _columns([*before, *after], [before[1], after[1]])
    return _bootstrap(lambda bv, bw, av, aw: av / aw - bv / bw, columns, clusters, resamples, seed)


def mcnemar(before: ArrayLike, after: ArrayLike) -> McNemar:
    """Return the exact McNemar test on right (1) or wrong (0) answers to the same questions."""
    old, new = np.asarray(before, dtype=bool), np.asarray(after, dtype=bool)
    if old.shape != new.shape:
        raise ValueError(f"{old.size} answers before and {new.size} after are no pairs.")
    gained, lost = int((~old & new).sum()), int((old & ~new).sum())
    changed = gained + lost
    tail = sum(math.comb(changed, k) for k in range(min(gained, lost) + 1))
    return McNemar(gained, lost, min(1.0, 2 * tail / 2**changed))


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return `successes / n` with the Wilson score interval, which stays inside 0 and 1 and works for small `n`."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} of {n} is no proportion.")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def _columns(columns: Sequence[ArrayLike], weights: Sequence[ArrayLike]) -> Floats:  # (K, N)
    sizes = {np.size(column) for column in columns}
    if len(sizes) != 1 or sizes == {0}:
        raise ValueError(f"columns of {sorted(sizes)} items; all must have the same items, and at least one.")
    table = np.asarray([np.asarray(column, dtype=np.float64) for column in columns])
    if not np.isfinite(table).all():
        raise ValueError("a value is not finite; nothing can be averaged over it.")
    if any(np.min(weight) < 0 or not np.sum(weight) for weight in weights):
        raise ValueError("weights must not be negative and not all 0.")
    return table


def _bootstrap(
    figure: Callable[..., Floats], columns: Floats, clusters: Sequence[str] | None, resamples: int, seed: int
) -> Interval:
    units = columns if clusters is None else _sums_by_cluster(columns, clusters)
    value = float(figure(*columns.sum(axis=1)))
    if columns.shape[1] < MIN_ITEMS or units.shape[1] < MIN_CLUSTERS:
        return Interval(value, math.nan, math.nan)
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may hold only items without weight
        drawn = figure(*_resampled_sums(units, resamples, seed))
    tail = _tail(units.shape[1])
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def _tail(num_units: int) -> float:
    """Return the share of resamples outside each bound; below 2.5 %, since resampling few units varies too little."""
    from scipy.stats import t

    spread = float(t.ppf((1 + CONFIDENCE) / 2, num_units - 1)) * math.sqrt(num_units / (num_units - 1))
    return NormalDist().cdf(-spread)


def _sums_by_cluster(columns: Floats, clusters: Sequence[str]) -> Floats:  # (K, C)
    names, inverse = np.unique(np.asarray(clusters), return_inverse=True)
    if inverse.size != columns.shape[1]:
        raise ValueError(f"{inverse.size} clusters for {columns.shape[1]} items.")
    sums = [np.bincount(inverse, weights=column, minlength=names.size) for column in columns]
    return np.asarray(sums, dtype=np.float64)


def _resampled_sums(columns: Floats, resamples: int, seed: int) -> Floats:  # (K, R)
    generator = np.random.default_rng(seed)
    count = columns.shape[1]
    rows = max(1, _PICKS_AT_ONCE // count)
    parts: list[Floats] = []
    for start in range(0, resamples, rows):
        picks = generator.integers(count, size=(min(rows, resamples - start), count))
        parts.append(np.stack([column[picks].sum(axis=1) for column in columns]))
    return np.concatenate(parts, axis=1)
