"""Seed problems: programming problems with solution and tests, as found in the documents of a corpus.

Any file in the shape of LeetCode becomes such a corpus by `ingest`: the statement is the text, and `keep` names the
other fields. Problems of a benchmark that is evaluated must not become seeds: put `decontaminate` between, and once
more behind what is generated.
"""

import ast
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from regraft.corpus.document import Document, Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A programming problem that shows a model what to write."""

    id: str
    """Of its document."""
    statement: str
    solution: str
    tests: str
    theme: str
    """What it is about, in a few words."""

    @property
    def text(self) -> str:
        """The problem in the form in which a new one is asked for."""
        return (
            f"Problem:\n{self.statement}\n\n"
            f"Solution:\n```python\n{self.solution}\n```\n\n"
            f"Tests:\n```python\n{self.tests}\n```"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemFields:
    """Where a document says what: its text is the statement, the rest are fields of its `meta`."""

    solution: str = "solution"
    tests: str = "tests"
    starter_code: str = "starter_code"
    """Shown below the statement; may be missing."""
    themes: tuple[str, ...] = ("tags", "title")
    """The first that is there says what the problem is about."""
    difficulty: str = "difficulty"
    difficulties: tuple[str, ...] = ()
    """Problems of these only; all when empty."""
    max_characters: int = 3000
    """Of statement, solution and tests together; a longer problem is no demonstration for a small context."""

    def read(self, document: Document) -> Problem | Reject:
        """Return the problem in a document, or why it shows nobody what to write."""
        meta = {name: str(value) for name, value in json.loads(document.meta).items()}
        solution, tests = _lines(meta.get(self.solution, "")).strip(), _lines(meta.get(self.tests, "")).strip()
        starter = meta.get(self.starter_code, "").strip()
        statement = f"{document.text.strip()}\n\n{starter}" if starter else document.text.strip()
        size = len(statement) + len(solution) + len(tests)
        if self.difficulties and meta.get(self.difficulty, "") not in self.difficulties:
            return Reject("seed_difficulty", meta.get(self.difficulty, ""))
        for name, code in ((self.solution, solution), (self.tests, tests)):
            if problem := _python_problem(code):
                return Reject("seed_unusable", f"{name}: {problem}")
        if size > self.max_characters:
            return Reject("seed_too_long", f"{size} characters")
        return Problem(
            id=document.id, statement=statement, solution=solution, tests=tests, theme=self._theme(meta) or "algorithms"
        )

    def _theme(self, meta: dict[str, str]) -> str:
        said = next((meta[name] for name in self.themes if meta.get(name)), "")
        try:
            tags = json.loads(said)
        except ValueError:
            return said
        return ", ".join(map(str, tags)) if isinstance(tags, list) else said


def _lines(code: str) -> str:
    """Return code as it is, or the lines of a list of them, as many files keep tests."""
    try:
        found: Any = json.loads(code)
    except (ValueError, RecursionError):
        return code
    is_list = isinstance(found, list) and all(isinstance(line, str) for line in found)
    return "\n".join(found) if is_list else code


def _python_problem(code: str) -> str:
    """Return why a text is no program; empty for a program."""
    try:
        return "" if ast.parse(code).body else "there is none"
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"


def shots(problems: Sequence[Problem], count: int, seed: int, number: int) -> tuple[Problem, ...]:
    """Return `count` different problems, or all there are, for request `number`: a function of these numbers alone."""
    chosen: dict[int, Problem] = {}
    attempt = 0
    while len(chosen) < min(count, len(problems)):
        index = drawn(f"{seed} shot {number} {attempt}", len(problems))
        chosen.setdefault(index, problems[index])
        attempt += 1
    return tuple(chosen.values())


def drawn(place: str, below: int) -> int:
    """Return a number from 0 that a hash of the place draws."""
    return int.from_bytes(hashlib.sha256(place.encode()).digest()[:8]) % below
