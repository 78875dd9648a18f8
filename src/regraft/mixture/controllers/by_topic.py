"""Settings by topic. A name is a topic, or `language/source/topic` where languages differ, which goes first."""

from collections.abc import Mapping, Sequence

from regraft.core import ConfigError
from regraft.mixture.controllers.decision import TopicLoss


def value_of(values: Mapping[str, float], topic: TopicLoss, otherwise: float) -> float:
    """Return what `values` say of a topic, `otherwise` where they do not name it."""
    return values.get(topic.stream, values.get(topic.topic, otherwise))


def required(values: Mapping[str, float], topic: TopicLoss, what: str) -> float:
    """Return what `values` say of a topic.

    Raises:
        ConfigError: they do not name it.
    """
    if topic.stream not in values and topic.topic not in values:
        raise ConfigError(f"{what} name {sorted(values)}, not {topic.topic!r}{_also(topic)}. Give each topic one.")
    return value_of(values, topic, 0.0)


def unused(values: Mapping[str, float], observed: Sequence[TopicLoss]) -> frozenset[str]:
    """Return the names that no observed topic has."""
    return frozenset(values) - {o.topic for o in observed} - {o.stream for o in observed}


def _also(topic: TopicLoss) -> str:
    return f" or {topic.stream!r}" if topic.stream else ""
