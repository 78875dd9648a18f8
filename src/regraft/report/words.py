"""Figures in words: numbers, intervals and plain sentences that follow the data."""

import math
from collections.abc import Mapping
from typing import Any

LANGUAGES = {"zh": "Chinese", "en": "English"}
"""Names of languages in sentences; others are called by their code."""
NONE = "–"


def number(value: float, digits: int = 3) -> str:
    """Return a number with thousands separated; a dash where there is none."""
    return NONE if not math.isfinite(value) else f"{value:,.{digits}f}".replace("-", "−")


def interval(value: float, low: float, high: float, digits: int = 3) -> str:
    """Return `value [low, high]`, or the value alone where there is no interval."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return number(value, digits)
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"


def percent(value: float, low: float = math.nan, high: float = math.nan, digits: int = 1) -> str:
    """Return a fraction in percent, with its interval."""
    bounds = (math.isfinite(low) and math.isfinite(high)) * f" [{number(100 * low, digits)}, {number(100 * high, digits)}]"
    return f"{number(100 * value, digits)} %{bounds}"


def duration(seconds: float) -> str:
    """Return seconds as a person would say them."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def size(num_bytes: float) -> str:
    """Return a number of bytes in the largest unit that leaves a whole part."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if num_bytes < 1000 or unit == "GB":
            return f"{num_bytes:,.0f} {unit}" if unit == "bytes" else f"{num_bytes:,.1f} {unit}"
        num_bytes /= 1000
    raise AssertionError("the loop returns")


def place(slice_: str) -> str:
    """Return a slice `language/source/topic` in words."""
    language, *rest = slice_.split("/", 2)
    return ", ".join([LANGUAGES.get(language, language), *rest])


def change(row: Mapping[str, Any], before: float, after: float, unit: str) -> str:
    """Return the sentence on one paired change: what moved, by how much, and whether the interval shows it.

    `row` is of METRICS, its metric `relative change of ...` or `change of ...`; `unit` is what it counts.
    """
    relative = row["metric"].startswith("relative")
    name = row["metric"].removeprefix("relative ").removeprefix("change of ")
    value, low, high = row["value"], row["low"], row["high"]
    falls = value < 0
    size_ = sorted((abs(low), abs(high))) if low * high > 0 else [-high, -low] if falls else [low, high]
    amount = percent(abs(value), *size_) if relative else f"{percent(abs(value), *size_)[:0]}{_points(abs(value), *size_)}"
    span = f"from {number(before)} to {number(after)}" if relative else f"from {percent(before)} to {percent(after)}"
    counted = f"{row['n']:,} {unit}"
    if not math.isfinite(low):
        return f"{place(row['slice'])}: {name} {'fell' if falls else 'rose'} by {amount}, {span}; {counted}, no interval."
    if low <= 0 <= high:
        direction = "lower" if falls else "higher"
        return f"{place(row['slice'])}: no change of {name} is shown: {amount} {direction}, {span}; {counted}."
    return f"{place(row['slice'])}: {name} {'fell' if falls else 'rose'} by {amount}, {span}; {counted}."


def _points(value: float, low: float, high: float) -> str:
    return percent(value, low, high).replace(" %", " points", 1)
