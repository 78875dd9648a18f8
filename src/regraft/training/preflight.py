"""What is checked before the first step: that the budget can be served, and that nothing held out is trained on."""

import logging
from collections.abc import Iterable, Mapping

from regraft.core import ConfigError, RegraftError
from regraft.mixture.shares import StreamKey, initial_shares, planned_budget
from regraft.training.streams import PackedStream
from regraft.training.train import TrainConfig


def check_budget(config: TrainConfig, log: logging.Logger, supply: Mapping[StreamKey, int]) -> None:
    """Warn of each source that has less than the budget asks of it.

    Args:
        config: budget and mixture.
        log: where to warn.
        supply: sequences of each stream.

    Raises:
        ConfigError: a source holds nothing.
        RegraftError: all sources together hold too little, or one does under `exhausted="stop"`.
    """
    initial_shares(config.mixture, supply)
    asked = config.plan.tokens // config.sequence_length
    short = [line for line in planned_budget(config.mixture, supply, asked) if line.shortfall]
    for line in short:
        log.warning(
            "source %s of group %s has %d sequences for %d planned; when it ends: %s",
            line.source,
            line.group,
            line.supply,
            line.planned,
            config.mixture.exhausted,
        )
    most = sum(config.mixture.capacity(key, n) for key, n in supply.items())
    if most < asked or (short and config.mixture.exhausted == "stop"):
        names = [f"{line.group}/{line.source}" for line in short]
        raise RegraftError(
            f"The budget asks for {asked:,} sequences and the sources hold {most:,}; too little of {names}. "
            "Train on fewer tokens, add documents, or let sources repeat (max_epochs)."
        )


def tell_packing(streams: Mapping[StreamKey, PackedStream], log: logging.Logger) -> None:
    """Say what packing costs: padding, and documents that are cut."""
    reports = [stream.packing.report() for stream in streams.values()]
    tokens, padding = sum(r.tokens for r in reports), sum(r.padding for r in reports)
    documents, cut, too_long = (sum(getattr(r, name) for r in reports) for name in ("documents", "cut", "too_long"))
    log.info(
        "packed %s documents: %.1f %% padding, %s cut, %s of them longer than a sequence",
        f"{documents:,}",
        100 * padding / max(1, tokens + padding),
        f"{cut:,}",
        f"{too_long:,}",
    )


def check_disjoint(held_out: Iterable[str], streams: Mapping[StreamKey, PackedStream]) -> None:
    """Return if no held-out document is trained on.

    Raises:
        ConfigError: names one that is.
    """
    held = set(held_out)
    both = sorted({id_ for stream in streams.values() for id_ in stream.store.ids.at(stream.rows) if id_ in held})
    if both:
        raise ConfigError(
            f"{len(both)} held-out documents are trained on too, such as {both[0]}: the steps that split the corpus "
            "must differ in their part only."
        )
