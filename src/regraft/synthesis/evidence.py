"""What evaluations of a model tell of its weaknesses: the loss of each topic, and each question with its outcome."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from regraft.core import Artifact, ConfigError
from regraft.corpus import tables
from regraft.synthesis.weakness import QuizItem

HELD_OUT = "bits per byte"
ACCURACY = "accuracy"
QUESTIONS_FILE = "questions.jsonl"
"""The metrics and the file by which `evaluate_held_out` and `evaluate_tasks` meet this room on disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a model in one language."""

    losses: Mapping[str, float] = field(default_factory=dict[str, float])
    """Topic -> bits per byte of held-out text, over all sources."""
    quiz: tuple[QuizItem, ...] = ()


def read_evidence(evaluations: Sequence[Artifact], language: str) -> Evidence:
    """Return what some evaluations of one model tell in a language.

    Raises:
        ConfigError: they tell nothing: neither held-out loss by topic nor questions with their texts.
    """
    bits: dict[str, tuple[float, float]] = {}
    quiz: list[QuizItem] = []
    for evaluation in evaluations:
        texts = _questions(evaluation)
        for row in tables.read(evaluation.file(tables.ITEMS_FILE), tables.ITEMS).to_pylist():
            spoken, *rest = row["slice"].split("/", 2)
            if spoken != language:
                continue
            if row["metric"] == HELD_OUT and len(rest) == 2:
                value, weight = bits.get(rest[1], (0.0, 0.0))
                bits[rest[1]] = (value + row["value"], weight + row["weight"])
            elif row["metric"] == ACCURACY and row["item"] in texts:
                quiz.append(QuizItem(text=texts[row["item"]], failed=row["value"] < row["weight"]))
    if not bits and not quiz:
        names = ", ".join(evaluation.id for evaluation in evaluations)
        raise ConfigError(f"{names} hold no loss by topic and no questions in {language!r} to weigh snippets by.")
    return Evidence(losses={topic: value / weight for topic, (value, weight) in sorted(bits.items())}, quiz=tuple(quiz))


def _questions(evaluation: Artifact) -> dict[str, str]:
    """Return the text of each question with its right answer by its id; nothing where no questions were asked."""
    if QUESTIONS_FILE not in {record.path for record in evaluation.manifest.files}:
        return {}
    lines = evaluation.file(QUESTIONS_FILE).read_text("utf-8").splitlines()
    return dict(map(_question, map(json.loads, lines)))


def _question(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["id"], f"{row['question']}\n{row['choices'][row['answer']]}"
