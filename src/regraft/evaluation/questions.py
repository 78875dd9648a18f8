"""Multiple-choice questions out of a JSON-lines file: what can be asked, what can not and why, and a seeded sample."""

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_LETTER = re.compile(r"^[A-Z][.)] ?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with its choices, one of which is right."""

    id: str
    question: str
    choices: tuple[str, ...]
    answer: int
    """Position of the right choice."""


def read_questions(lines: Iterable[str], *, max_characters: int) -> tuple[list[Question], Counter[str]]:
    """Return the questions that can be asked, in order, and a count of the others by reason.

    A line is a JSON object with `question`, `options` ("A. ..", one a line) and `answer` (one of the options). Reasons:
    `malformed`, `duplicate` (same question and choices), `too_long` (more than `max_characters` in question and
    choices together; 0 means no limit).
    """
    questions: dict[str, Question] = {}
    left_out: Counter[str] = Counter()
    for line in lines:
        question = _parse(line)
        if question is None:
            left_out["malformed"] += 1
        elif question.id in questions:
            left_out["duplicate"] += 1
        elif max_characters and len(question.question) + sum(map(len, question.choices)) > max_characters:
            left_out["too_long"] += 1
        else:
            questions[question.id] = question
    return list(questions.values()), left_out


def sample(questions: list[Question], num: int, seed: int) -> list[Question]:
    """Return `num` questions in an order that depends on their ids and the seed alone; all when there are fewer."""
    ordered = sorted(questions, key=lambda q: q.id)
    random.Random(seed).shuffle(ordered)
    return ordered[:num]


def _parse(line: str) -> Question | None:
    try:
        row: Any = json.loads(line)
        question, options, answer = row["question"].strip(), row["options"].split("\n"), row["answer"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    choices = tuple(_LETTER.sub("", option).strip() for option in options)
    whole = question and len(choices) > 1 and all(choices) and len(set(choices)) == len(choices)
    if not whole or options.count(answer) != 1 or not all(map(_LETTER.match, options)):
        return None
    return Question(id=_identity(question, choices), question=question, choices=choices, answer=options.index(answer))


def _identity(question: str, choices: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps([question, *choices]).encode()).hexdigest()[:16]


def to_json(question: Question) -> str:
    """Return the line of JSON that the harness reads."""
    row: Mapping[str, Any] = {
        "id": question.id,
        "question": question.question,
        "choices": question.choices,
        "answer": question.answer,
    }
    return json.dumps(row, ensure_ascii=False)
