"""Tables of the experiment `steering` from what its runs evaluated.

    python docs/experiments/steering_results.py FOLDER > tables.md

FOLDER holds `base.parquet` and `ARM-SEED.parquet`: the items (bits and bytes of each held-out page) of each evaluation.
Differences are paired by seed; intervals are 95 % by Student's t over the seeds, so they hold for other pages to learn
from and other orders, not for other held-out pages.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

import pyarrow.parquet as pq

PILOT = 99
"""Seed of the run that gave `velocity` its targets, which is compared with nothing."""
SHARES = ("fixed", "topic_perplexity", "velocity", "excess_loss", "online_mixing")
ORDERS = ("random", "easy_to_hard", "hard_to_easy", "buckets", "warmup")
STUDENT = {1: math.nan, 2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""97.5 % quantile of Student's t by number of seeds."""

Bits = Mapping[str, float]
"""Bits per byte by slice: a language, or `language/source/topic`."""


def bits(path: Path) -> Bits:
    """Return the bits per byte of each language and of each topic."""
    sums: dict[str, list[float]] = {}
    for row in pq.read_table(path, columns=["slice", "value", "weight"]).to_pylist():
        for name in (row["slice"], row["slice"].partition("/")[0]):
            total = sums.setdefault(name, [0.0, 0.0])
            total[0] += row["value"]
            total[1] += row["weight"]
    return {name: value / weight for name, (value, weight) in sums.items()}


def topics(found: Bits, language: str) -> dict[str, float]:
    """Return the bits per byte of the topics of a language."""
    return {name.rpartition("/")[2]: value for name, value in found.items() if name.startswith(f"{language}/")}


def measures(found: Bits, base: Bits) -> dict[str, float]:
    """Return what arms are compared by."""
    rows: dict[str, float] = {}
    for language in ("zh", "en"):
        after, before = topics(found, language), topics(base, language)
        rows[f"{language}, all pages"] = found[language]
        rows[f"{language}, mean of topics"] = mean(after.values())
        rows[f"{language}, worst topic"] = max(after.values())
        rows[f"{language}, least gain of a topic"] = min(before[topic] - after[topic] for topic in before)
    return rows


def interval(values: Sequence[float]) -> str:
    """Return the mean and its 95 % interval over seeds."""
    half = STUDENT[len(values)] * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{mean(values):+.4f} [{mean(values) - half:+.4f}, {mean(values) + half:+.4f}]"


def table(folder: Path, arms: Sequence[str], base: Bits) -> list[str]:
    """Return the rows of one table: the first arm as it is, the others as differences from it."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for arm in arms:
        if paths := _of(folder, arm):
            found[arm] = {path.stem.rpartition("-")[2]: measures(bits(path), base) for path in paths}
    first, *others = found
    lines = [
        f"| | base | {first} | {' | '.join(f'{arm} - {first}' for arm in others)} |",
        "| --- " * (3 + len(others)) + "|",
    ]
    for name, value in measures(base, base).items():
        seeds = found[first]
        cells = [f"{value:.4f}", f"{mean(seed[name] for seed in seeds.values()):.4f}"]
        for arm in others:
            both = sorted(set(seeds) & set(found[arm]))
            cells.append(interval([found[arm][seed][name] - seeds[seed][name] for seed in both]))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, "", f"Seeds: {', '.join(f'{arm} {len(seeds)}' for arm, seeds in found.items())}.", ""]


def by_topic(folder: Path, arms: Sequence[str], base: Bits) -> list[str]:
    """Return the bits per byte of each topic, mean over seeds."""
    found = {arm: [bits(path) for path in _of(folder, arm)] for arm in arms}
    found = {arm: runs for arm, runs in found.items() if runs}
    lines = [f"| topic | base | {' | '.join(found)} |", "| --- " * (2 + len(found)) + "|"]
    for name in sorted(name for name in base if "/" in name):
        language, _, topic = name.split("/", 2)
        cells = " | ".join(f"{mean(run[name] for run in runs):.4f}" for runs in found.values())
        lines.append(f"| {language}, {topic} | {base[name]:.4f} | {cells} |")
    return [*lines, ""]


def _of(folder: Path, arm: str) -> list[Path]:
    return [path for path in sorted(folder.glob(f"{arm}-*.parquet")) if path.stem != f"{arm}-{PILOT}"]


def main(folder: Path) -> None:
    """Print all tables."""
    base = bits(folder / "base.parquet")
    print("\n".join(["## Shares", "", *table(folder, SHARES, base), "## Order", "", *table(folder, ORDERS, base)]))
    print("\n".join(["## By topic", "", *by_topic(folder, (*SHARES, *ORDERS), base)]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
