"""Figures in words: numbers, intervals and plain sentences that follow the data."""

import math
from collections.abc import Mapping
from typing import Any

LANGUAGES = {"zh": "Chinese", "en": "English"}
"""Names of languages in sentences; others are called by their code."""
NO_TOPIC = "-"
"""As `corpus.tokens` writes it; a report imports no tokenizer."""
NONE = "–"
NO_INTERVAL = "[–]"
"""Stands where an interval would, had it enough items and clusters."""


def number(value: float, digits: int = 3) -> str:
    """Return a number with thousands separated; a dash where there is none."""
    return NONE if not math.isfinite(value) else f"{value:,.{digits}f}".replace("-", "−")


def interval(value: float, low: float, high: float, digits: int = 3) -> str:
    """Return `value [low, high]`, or `value [–]` where there is no interval."""
    return f"{number(value, digits)} {_bounds(low, high, digits)}"


def percent(value: float, digits: int = 1) -> str:
    """Return a fraction in percent."""
    return f"{number(100 * value, digits)} %"


def percent_interval(value: float, low: float, high: float, digits: int = 1) -> str:
    """Return a fraction in percent with its interval, `[–]` where there is none."""
    return f"{percent(value, digits)} {_bounds(100 * low, 100 * high, digits)}"


def _bounds(low: float, high: float, digits: int) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return NO_INTERVAL
    return f"[{number(low, digits)}, {number(high, digits)}]"


def is_held_out(row: Mapping[str, Any]) -> bool:
    """Return whether a row of METRICS is on documents, not on questions and their answers."""
    return row["metric"].endswith("bits per byte")


def over(row: Mapping[str, Any]) -> str:
    """Return over what a figure of METRICS was taken: `25 documents in 6 clusters`, `200 questions`."""
    items = _count(row["n"], "document" if is_held_out(row) else "question")
    return f"{items} in {_count(row['clusters'], 'cluster')}" if row["clusters"] < row["n"] else items


def _count(count: int, unit: str) -> str:
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"


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
    return ", ".join([LANGUAGES.get(language, language), *(part for part in rest if part != NO_TOPIC)])


def stream(name: str) -> str:
    """Return a stream `language/source/topic` without the sign that stands for no topic."""
    return name.removesuffix(f"/{NO_TOPIC}") if name.count("/") == 2 else name


def panel(name: str) -> str:
    """Return a stream `language/source/topic` as the two lines of a heading: the topic stands alone, it is long."""
    language, source, topic = [*stream(name).split("/", 2), "", ""][:3]
    return "\n".join(filter(None, (f"{language}/{source}".rstrip("/"), topic)))


def change(row: Mapping[str, Any], before: float, after: float) -> str:
    """Return the sentence on one paired change: what moved, by how much, and whether the interval shows it.

    `row` is of METRICS, its metric `relative change of ...` or `change of ...`.
    """
    relative = row["metric"].startswith("relative ")
    name = row["metric"].removeprefix("relative ").removeprefix("change of ")
    falls = row["value"] < 0
    sign = -1 if falls else 1
    low, high = sorted((sign * row["low"], sign * row["high"]))
    known = math.isfinite(low)
    amount = percent_interval(abs(row["value"]), low, high) if known else percent(abs(row["value"]))
    span = f"from {number(before)} to {number(after)}" if relative else f"from {percent(before)} to {percent(after)}"
    if not relative:
        amount = amount.replace(" %", " points", 1)
    if not known:
        what = f"{name} is {amount} {'lower' if falls else 'higher'}"
    elif low <= 0:
        what = f"no change of {name} can be told from chance: {amount} {'lower' if falls else 'higher'}"
    else:
        what = f"{name} {'fell' if falls else 'rose'} by {amount}"
    too_few = "" if known else ", too few to tell it from chance"
    task = "" if is_held_out(row) else f"{row['task']}, "
    return f"{task}{place(row['slice'])}: {what}, {span} ({over(row)}{too_few})."
