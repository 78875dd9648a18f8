"""What training changed and what it kept: two models compared on the same items."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from regraft.core import Artifact, Context, Kind, Metrics, SchemaError, many, stage

if TYPE_CHECKING:
    from regraft.evaluation.slices import Items

INFINITE = 1e9
"""A bound that no figure reaches; infinity has no stable form."""
RELATIVE = "bits per byte"
"""Metrics whose name begins so are compared by ratio, all others by difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """What a recipe sets out to show, stated before the run; the report says whether it is met."""

    name: str
    """A sentence for people; the report sets the rule that is applied beside it."""
    task: str = ""
    """Such as `held-out text`; may be empty where one task alone has the metric and the slice."""
    metric: str
    """A metric of the comparison, such as `relative change of bits per byte`."""
    slice: str
    """Such as `zh` or `en/pubmed`."""
    at_least: float = -INFINITE
    at_most: float = INFINITE
    by: Literal["figure", "interval"] = "figure"
    """What must lie within the bounds: the figure, or its whole interval."""
    excludes_zero: bool = False
    """The interval must lie on one side of 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareConfig:
    """What is stated about the comparison, and how the resamples are drawn. Not in the paper."""

    criteria: tuple[Criterion, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences that a reader needs to judge the comparison; they stand in the report."""
    resamples: int = 10_000
    seed: int = 0


@stage(version=2, makes=Kind.EVALUATION, before=many(Kind.EVALUATION), after=many(Kind.EVALUATION))
def compare_models(config: CompareConfig, ctx: Context) -> Metrics:
    """Write, for each task, metric and slice, the figure before and after and the change with its paired interval.

    Rows of METRICS are named `<metric> before`, `<metric> after`, and `relative change of <metric>` (bits per byte, a
    fraction) or `change of <metric>`; right-or-wrong metrics add `<metric> gained`, `<metric> lost` (items) and
    `<metric> McNemar p`. The change is named after the model that came after; NaN bounds mean that there is none.

    Raises:
        SchemaError: the two sides do not hold the same items with the same weights, or hold several models.
    """
    from regraft.corpus import tables
    from regraft.evaluation.slices import by_slice

    old_model, old = _side(ctx.inputs["before"])
    new_model, new = _side(ctx.inputs["after"])
    _check_same_items(old, new)
    rows: list[dict[str, Any]] = []
    pairs = list(zip(by_slice(old), by_slice(new), strict=True))
    with ctx.track(f"compare {old_model} and {new_model}", len(pairs), "slices") as ticker:
        for before, after in pairs:
            rows += _compared(before, after, new_model, config)
            ticker.advance()
    table = tables.table_of(rows, tables.METRICS)
    tables.write(ctx.out / tables.METRICS_FILE, table, tables.METRICS)
    tables.write(ctx.out / tables.ITEMS_FILE, tables.table_of((), tables.ITEMS), tables.ITEMS)
    return {"before": old_model, "after": new_model, "items": len(old), "figures": len(rows)}


def _side(evaluations: Sequence[Artifact]) -> tuple[str, list[dict[str, Any]]]:
    """Return the name of the model and all items of one side, sorted by task, metric and item."""
    from regraft.corpus import tables

    models: set[str] = set()
    items: list[dict[str, Any]] = []
    for evaluation in evaluations:
        metrics = tables.read(evaluation.file(tables.METRICS_FILE), tables.METRICS, ["model"])
        models |= set(metrics["model"].to_pylist())
        items += tables.read(evaluation.file(tables.ITEMS_FILE), tables.ITEMS).to_pylist()
    if len(models) != 1:
        ids = [evaluation.id for evaluation in evaluations]
        raise SchemaError(f"{ids} are of the models {sorted(models)}; a side of a comparison is one model.")
    return models.pop(), sorted(items, key=_key)


def _check_same_items(old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> None:
    keys, others = [_key(row) for row in old], [_key(row) for row in new]
    if keys != others:
        apart = sorted(set(keys) ^ set(others))
        raise SchemaError(
            f"{len(apart)} items are on one side only ({len(old)} before, {len(new)} after), such as {apart[:2]}. "
            "Evaluate both models with the same config on the same documents and questions."
        )
    if not keys:
        raise SchemaError("the evaluations hold no items; a comparison needs at least one.")
    apart = [_key(a) for a, b in zip(old, new, strict=True) if a["weight"] != b["weight"]]
    if apart:
        raise SchemaError(
            f"{len(apart)} items have other weights (bytes) after than before, such as {apart[0]}: not the same text "
            "was scored. max_tokens cuts where the tokenizer says; with two tokenizers cut by max_bytes."
        )


def _key(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return row["task"], row["metric"], row["item"], row["slice"]


def _compared(before: "Items", after: "Items", model: str, config: CompareConfig) -> list[dict[str, Any]]:
    from regraft.evaluation import significance
    from regraft.evaluation.significance import Interval

    name = before.metric
    relative = name.startswith(RELATIVE)
    change = (significance.relative_change if relative else significance.difference)(
        (before.values, before.weights),
        (after.values, after.weights),
        clusters=before.clusters,
        resamples=config.resamples,
        seed=config.seed,
    )
    figures = {
        f"{name} before": Interval(sum(before.values) / sum(before.weights), math.nan, math.nan),
        f"{name} after": Interval(sum(after.values) / sum(after.weights), math.nan, math.nan),
        f"relative change of {name}" if relative else f"change of {name}": change,
    }
    if set(before.values) | set(after.values) <= {0.0, 1.0}:
        test = significance.mcnemar(before.values, after.values)
        counts = {"gained": test.gained, "lost": test.lost, "McNemar p": test.p}
        figures |= {f"{name} {what}": Interval(float(value), math.nan, math.nan) for what, value in counts.items()}
    return [before.row(model, figure, metric) for metric, figure in figures.items()]
