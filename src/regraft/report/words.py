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
    bounded = math.isfinite(low) and math.isfinite(high)
    bounds = f" [{number(100 * low, digits)}, {number(100 * high, digits)}]" if bounded else ""
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


def panel(stream: str) -> str:
    """Return a stream `language/source/topic` as the two lines of a heading: the topic stands alone, it is long."""
    language, source, topic = [*stream.split("/", 2), "", ""][:3]
    return "\n".join(filter(None, (f"{language}/{source}".rstrip("/"), topic)))


def change(row: Mapping[str, Any], before: float, after: float, unit: str) -> str:
    """Return the sentence on one paired change: what moved, by how much, and whether the interval shows it.

    `row` is of METRICS, its metric `relative change of ...` or `change of ...`; `unit` is what it counts.
    """
    relative = row["metric"].startswith("relative ")
    name = row["metric"].removeprefix("relative ").removeprefix("change of ")
    falls = row["value"] < 0
    sign = -1 if falls else 1
    low, high = sorted((sign * row["low"], sign * row["high"]))
    amount = percent(abs(row["value"]), low, high)
    span = f"from {number(before)} to {number(after)}" if relative else f"from {percent(before)} to {percent(after)}"
    if not relative:
        amount = amount.replace(" %", " points", 1)
    if low <= 0:
        what = f"no change of {name} can be told from chance: {amount} {'lower' if falls else 'higher'}"
    else:
        what = f"{name} {'fell' if falls else 'rose'} by {amount}"
    alone = "" if math.isfinite(low) else ", too few for an interval"
    return f"{place(row['slice'])}: {what}, {span} ({row['n']:,} {unit}{alone})."
