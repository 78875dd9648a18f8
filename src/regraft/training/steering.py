"""From held-out losses to the shares of all streams: asks the controller, source by source, and says why as rows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from regraft.mixture.controllers import TopicLoss, TopicTerm
from regraft.mixture.shares import StreamKey, topic_shares, with_topic_shares
from regraft.training.train import TrainConfig
from regraft.training.validation import Measured, standard_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering:
    """What the next decision compares with: held-out losses by document at the decision before, by stream."""

    before: Mapping[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])

    def to_json(self) -> dict[str, Any]:
        return {stream: list(losses) for stream, losses in self.before.items()}

    @staticmethod
    def from_json(state: Mapping[str, Any]) -> "Steering":
        return Steering(before={stream: tuple(losses) for stream, losses in state.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered:
    """The shares from here on, what the next decision compares with, and a row of SHARES for each stream."""

    shares: Mapping[StreamKey, float]
    steering: Steering
    rows: list[dict[str, Any]]


def start(shares: Mapping[StreamKey, float], measured: Mapping[StreamKey, Measured]) -> Steered:
    """Return the shares as they are, with the losses under the base model to compare with later."""
    return Steered(shares=shares, steering=_memory(measured), rows=_rows(shares, measured, {}, "start"))


def steer(
    config: TrainConfig, steering: Steering, shares: Mapping[StreamKey, float], measured: Mapping[StreamKey, Measured]
) -> Steered:
    """Return the shares after one decision: topics of the controlled sources are moved, all others stay."""
    terms: dict[StreamKey, TopicTerm] = {}
    for language, source in dict.fromkeys((key.language, key.source) for key in shares):
        cell = topic_shares(shares, language, source)
        if source not in config.controlled_sources or not any(cell.values()):
            continue
        observed = [
            _observe(StreamKey(language, source, topic), share, measured, steering) for topic, share in cell.items()
        ]
        decision = config.controller.next_shares(observed)
        shares = with_topic_shares(shares, language, source, decision.shares)
        terms |= {StreamKey(language, source, term.topic): term for term in decision.terms}
    return Steered(shares=shares, steering=_memory(measured), rows=_rows(shares, measured, terms, "not controlled"))


def _observe(key: StreamKey, share: float, measured: Mapping[StreamKey, Measured], steering: Steering) -> TopicLoss:
    now, before = measured.get(key), steering.before.get(str(key))
    if now is None or before is None:
        return TopicLoss(topic=key.topic, share=share, loss=now.per_token if now else math.nan, before=None)
    return TopicLoss(
        topic=key.topic,
        share=share,
        loss=now.per_token,
        before=sum(before) / now.tokens,
        error=standard_error([a - b for a, b in zip(now.losses, before, strict=True)], now.lengths),
    )


def _memory(measured: Mapping[StreamKey, Measured]) -> Steering:
    return Steering(before={str(key): m.losses for key, m in measured.items()})


def _rows(
    shares: Mapping[StreamKey, float],
    measured: Mapping[StreamKey, Measured],
    terms: Mapping[StreamKey, TopicTerm],
    otherwise: str,
) -> list[dict[str, Any]]:
    return [
        {
            "stream": str(key),
            "share": share,
            "loss": measured[key].per_token if key in measured else math.nan,
            "change": terms[key].change if key in terms else 0.0,
            "factor": terms[key].factor if key in terms else 1.0,
            "reason": terms[key].reason if key in terms else otherwise,
        }
        for key, share in shares.items()
    ]
