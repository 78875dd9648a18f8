"""What the manifest of a training says of its budget: planned and served tokens by group and source."""

from collections import Counter
from collections.abc import Iterable, Mapping

from regraft.mixture.shares import Source, StreamKey
from regraft.training.train import TrainConfig


def training_figures(
    config: TrainConfig, served: Mapping[str, int], streams: Iterable[StreamKey]
) -> dict[str, int | float | str]:
    """Return planned and served tokens of each group and source, given those served of each stream."""
    by_source = Counter[tuple[str, str]]()
    for key in streams:
        if found := config.mixture.place(key):
            by_source[found[0].name, _label(found[1])] += served.get(str(key), 0)
    figures: dict[str, int | float | str] = {}
    for group in config.mixture.groups:
        total = config.plan.tokens * group.share
        figures[f"planned.{group.name}"] = round(total)
        figures[f"served.{group.name}"] = sum(by_source[group.name, _label(source)] for source in group.sources)
        for source in group.sources:
            figures[f"planned.{group.name}.{_label(source)}"] = round(total * source.share)
            figures[f"served.{group.name}.{_label(source)}"] = by_source[group.name, _label(source)]
    return figures


def _label(source: Source) -> str:
    return f"{source.language}/{source.name}" if source.language else source.name
