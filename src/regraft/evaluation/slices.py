"""From items to figures: one for each slice and for everything that the slice is part of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from regraft.evaluation.significance import Interval, ratio

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """The items of one metric in one slice, column by column."""

    task: str
    metric: str
    slice: str
    ids: list[str] = field(default_factory=list[str])
    clusters: list[str] = field(default_factory=list[str])
    values: list[float] = field(default_factory=list[float])
    weights: list[float] = field(default_factory=list[float])

    def append(self, row: Mapping[str, Any]) -> None:
        self.ids.append(row["item"])
        self.clusters.append(row["cluster"])
        self.values.append(row["value"])
        self.weights.append(row["weight"])

    def row(self, model: str, figure: Interval, metric: str = "") -> Row:
        """Return a row of METRICS on these items; `metric` where the figure is not the metric itself."""
        return {
            "model": model,
            "task": self.task,
            "metric": metric or self.metric,
            "slice": self.slice,
            "value": figure.value,
            "low": figure.low,
            "high": figure.high,
            "n": len(self.ids),
            "clusters": len(set(self.clusters)),
        }


def wholes(slice_: str) -> list[str]:
    """Return what a slice `language/source/topic` is part of, widest first, itself last; a topic may hold slashes."""
    parts = slice_.split("/", 2)
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def by_slice(rows: Sequence[Mapping[str, Any]]) -> list[Items]:
    """Return the items of each task, metric and slice, sorted by these: a whole stands before its parts."""
    found: dict[tuple[str, str, str], Items] = {}
    for row in rows:
        for part in wholes(row["slice"]):
            key = (row["task"], row["metric"], part)
            if key not in found:
                found[key] = Items(task=row["task"], metric=row["metric"], slice=part)
            found[key].append(row)
    return [found[key] for key in sorted(found)]


def metric_rows(
    model: str, items: Sequence[Mapping[str, Any]], interval: Callable[[Items], Interval] | None = None
) -> list[Row]:
    """Return rows of METRICS for rows of ITEMS; the interval is the bootstrap over clusters unless another is given."""
    return [
        group.row(model, interval(group) if interval else ratio(group.values, group.weights, clusters=group.clusters))
        for group in by_slice(items)
    ]
