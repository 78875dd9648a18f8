"""A topic classifier without pretrained weights: TF-IDF of character n-grams and logistic regression."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline

from regraft.core import ConfigError, SourceFile
from regraft.mixture.topics import OTHERS, TopicConfig

DECIMALS = 6
"""Of a stored probability: sums of the linear algebra library differ beyond with the number of its threads."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled texts."""

    texts: tuple[str, ...]
    topics: tuple[str, ...]

    @staticmethod
    def read(located: Mapping[SourceFile, Path], files: Sequence[SourceFile], allowed: Sequence[str]) -> "Examples":
        """Read JSON lines with `text` and `topic`, in order.

        Raises:
            ConfigError: a line is no JSON object, lacks a field or has another topic; names file and line.
        """
        rows: list[tuple[str, str]] = []
        for file in files:
            lines = located[file].read_text("utf-8").split("\n")
            rows += [_example(line, f"{file.name}:{n}", allowed) for n, line in enumerate(lines, 1) if line.strip()]
        if not rows:
            raise ConfigError(f"{[file.name for file in files]} hold no labelled text.")
        return Examples(tuple(text for text, _ in rows), tuple(topic for _, topic in rows))


class TopicClassifier:
    """Gives the most probable topic of a text."""

    def __init__(self, config: TopicConfig) -> None:
        self.config = config
        self.pipeline = _pipeline(config)

    def fit(self, examples: Examples) -> "TopicClassifier":
        self.pipeline.fit(self._cut(examples.texts), examples.topics)
        return self

    def label(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Return topic and probability of each text; `Others`, with the same probability, below the threshold."""
        if not texts:
            return []
        probabilities: Any = self.pipeline.predict_proba(self._cut(texts)).round(DECIMALS)  # (texts, topics)
        names = [str(name) for name in self.pipeline.classes_]
        best = [(names[row.argmax()], float(row.max())) for row in probabilities]
        return [(topic if p >= self.config.threshold else OTHERS, p) for topic, p in best]

    def accuracy(self, examples: Examples) -> float:
        """Return the fraction of the examples whose topic is found."""
        found = [topic for topic, _ in self.label(examples.texts)]
        return float(np.mean(np.array(found) == np.array(examples.topics)))

    def _cut(self, texts: Sequence[str]) -> list[str]:
        return [text[: self.config.max_characters] for text in texts]


def cross_validated_accuracy(config: TopicConfig, examples: Examples) -> float:
    """Return the fraction of the examples whose topic is found by a classifier that did not see them.

    Raises:
        ConfigError: a topic has fewer examples than there are folds.
    """
    counts = {topic: examples.topics.count(topic) for topic in sorted(set(examples.topics))}
    if len(counts) < 2 or min(counts.values()) < config.folds:
        raise ConfigError(f"{config.folds} folds need as many examples of each of two topics; there are {counts}.")
    folds = StratifiedKFold(config.folds, shuffle=True, random_state=config.seed)
    texts = [text[: config.max_characters] for text in examples.texts]
    found: Any = cross_val_predict(_pipeline(config), texts, list(examples.topics), cv=folds)
    return float(np.mean(found == np.array(examples.topics)))


def _pipeline(config: TopicConfig) -> Pipeline:
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, config.ngram_length), sublinear_tf=True)
    linear = LogisticRegression(C=config.strength, class_weight="balanced", max_iter=2000, random_state=config.seed)
    return Pipeline([("grams", grams), ("linear", linear)])


def _example(line: str, place: str, allowed: Sequence[str]) -> tuple[str, str]:
    try:
        row: Any = json.loads(line)
        text, topic = row["text"], row["topic"]
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{place} is no JSON object with text and topic: {error!r}.") from error
    if topic not in allowed:
        raise ConfigError(f"{place} has the topic {topic!r}, which is none of {list(allowed)}.")
    if not isinstance(text, str) or not text.strip():
        raise ConfigError(f"{place} has no text.")
    return text, topic
