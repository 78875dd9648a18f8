"""Genres: what form a text is to have, and how it is read out of what a model wrote. Pure, without a model.

A genre is a frozen dataclass with its demands as fields and one method, and may stand in the file of your recipe. All
demands are not in the paper, which has problems with solutions only. FAQ, tutorial, table and rephrased text are the
genres of FinePhrase (arXiv:2604.13977), the relation of two entities is that of EntiGraph (arXiv:2409.07431).
"""

import re
from dataclasses import dataclass
from typing import Protocol

from regraft.corpus.document import Reject
from regraft.synthesis.entity.entities import names
from regraft.synthesis.measures import ngrams, words
from regraft.synthesis.pairs import Pair, heading, parse_pair, plain, without_thought


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a prompt is filled with."""

    snippet: str
    discipline: str = "science"
    """As the language of the prompt calls it."""
    guidance: str = ""
    """What a text of this discipline is to heed; may be empty."""
    words: int = 300
    """How long the text is to be."""
    entities: tuple[str, ...] = ()
    """Whose relation is asked for."""


class Genre(Protocol):
    """Reads a text of one form."""

    def read(self, answer: str, given: Given) -> Pair | Reject:
        """Return the text in what a model answered, or why it has not the form."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemSolution:
    """Two sections, Problem and Solution."""

    def read(self, answer: str, given: Given) -> Pair | Reject:
        """Return the first pair, or which section is not there."""
        pair = parse_pair(answer)
        return Reject("unparsable", pair) if isinstance(pair, str) else pair


PAIR = ProblemSolution()


@dataclass(frozen=True, slots=True, kw_only=True)
class Faq:
    """Questions, each with its answer."""

    min_questions: int = 3

    def read(self, answer: str, given: Given) -> Pair | Reject:
        """Return questions and answers, the first of equal questions only."""
        found = {" ".join(words(pair.problem)): pair for pair in reversed(parse_faq(answer))}
        pairs = list(reversed(found.values()))
        if len(pairs) < self.min_questions:
            return Reject("form", f"{len(pairs)} different questions with an answer")
        return Pair(
            problem="\n".join(pair.problem for pair in pairs),
            solution="\n\n".join(pair.solution for pair in pairs),
            whole="\n\n".join(f"{pair.problem}\n{pair.solution}" for pair in pairs),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tutorial:
    """A title, and steps that are numbered from 1."""

    min_steps: int = 3

    def read(self, answer: str, given: Given) -> Pair | Reject:
        """Return the tutorial, or what is missing."""
        text = plain(answer)
        title, _, rest = text.partition("\n")
        if not rest or _STEP.match(title):
            return Reject("form", "no title above the steps")
        steps = 0
        for found in _STEP.finditer(rest):
            steps += _number(found[1] or found[2]) == steps + 1
        return Pair(problem="", solution=text) if steps >= self.min_steps else Reject("form", f"{steps} numbered steps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table in Markdown, with a sentence or more around it."""

    min_rows: int = 2
    min_columns: int = 2

    def read(self, answer: str, given: Given) -> Pair | Reject:
        """Return the text with its table, or what is wrong with the table."""
        text = plain(answer)
        lines = [line.strip() for line in text.splitlines()]
        rule = next((i for i, line in enumerate(lines) if i and _RULE.fullmatch(line)), 0)
        if not rule:
            return Reject("form", "no table")
        rows = [_cells(lines[rule - 1]), *_rows(lines[rule + 1 :])]
        if len(set(map(len, rows))) > 1:
            return Reject("form", "rows of the table differ in their number of cells")
        if len(rows) - 1 < self.min_rows or len(rows[0]) < self.min_columns:
            return Reject("form", f"a table of {len(rows) - 1} rows and {len(rows[0])} columns")
        if len(lines) == len(rows) + 1:
            return Reject("form", "a table without a word about it")
        return Pair(problem="", solution=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rephrased:
    """The snippet in other words."""

    max_copied: float = 0.5
    """Share of the word 5-grams that stand in the snippet too."""
    min_length: float = 0.4
    """Words over those of the snippet."""
    max_length: float = 2.5

    def read(self, answer: str, given: Given) -> Pair | Reject:
        """Return the text, or that it is a copy, an excerpt or an outgrowth of the snippet."""
        text = plain(answer)
        grams, known = ngrams(words(text), 5), set(ngrams(words(given.snippet), 5))
        copied = sum(gram in known for gram in grams) / max(len(grams), 1)
        length = len(words(text)) / max(len(words(given.snippet)), 1)
        if not self.min_length <= length <= self.max_length:
            return Reject("form", f"{length:.2f} times as long as the snippet")
        return Reject("copied", f"{copied:.3f}") if copied > self.max_copied else Pair(problem="", solution=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A text that names each of the entities it is asked to relate."""

    def read(self, answer: str, given: Given) -> Pair | Reject:
        """Return the text, or which entity it does not name."""
        text = plain(answer)
        missing = [name for name in given.entities if not names(name.casefold(), text.casefold())]
        return Reject("form", f"does not name {missing[0]!r}") if missing else Pair(problem="", solution=text)


_QUESTION = heading("question|q|问题|问")
_ANSWER = heading("answer|a|回答|答案|答")
_IN_LINE = re.compile(r"(?i)(?<=[?？])[ \t]*(?=[*_]*(?:a|answer|答案|回答|答)[*_]*[ \t]*[:：])")
_ASKS = re.compile(r"[ \t#>*_\-]*+(?:\d++[.)、][ \t]*+)?(?P<question>\S.{3,300}?[?？])[*_ \t]*+")
_HAN_NUMBERS = "一二三四五六七八九十"
_STEP = re.compile(
    rf"(?im)^[ \t#*_\-]*+(?:(?:step[ \t]++)?(\d{{1,3}})[*_]*+[.):：、]|第[ \t]*+(\d{{1,3}}|[{_HAN_NUMBERS}])[ \t]*+步)"
)
_RULE = re.compile(r"\|?(?:\s*+:?-{2,}+:?\s*+\|)++(?:\s*+:?-{2,}+:?\s*+)?")


def parse_faq(text: str) -> list[Pair]:
    """Return the questions with their answers, in order; a question that nothing answers is left out.

    Either both have a heading (`Q:`, `**Answer 2:**`, `问：`), or each line that asks is a question, and what follows
    its answer.
    """
    text = _IN_LINE.sub("\n", without_thought(text))
    marked = bool(_QUESTION.search(text) and _ANSWER.search(text))
    starts = [(m.start(), m.end(), "") for m in _QUESTION.finditer(text)] if marked else _asking(text)
    ends = [*(start for start, _, _ in starts[1:]), len(text)]
    found: list[Pair] = []
    for (_, begin, question), end in zip(starts, ends, strict=False):
        answer = _ANSWER.search(text, begin, end) if marked else None
        if marked and answer is None:
            continue
        asked = text[begin : answer.start()] if answer else question
        pair = Pair(problem=plain(asked), solution=plain(text[answer.end() if answer else begin : end]))
        found += [pair] if pair.problem and pair.solution else []
    return found


def _asking(text: str) -> list[tuple[int, int, str]]:
    """Return start, end and question of each line that is a question and nothing else."""
    lines = re.finditer(r"(?m)^.+$", text)
    found = [(line, _ASKS.fullmatch(line[0])) for line in lines]
    return [(line.start(), line.end(), asks["question"]) for line, asks in found if asks]


def _number(step: str) -> int:
    return int(step) if step.isdecimal() else _HAN_NUMBERS.index(step) + 1


def _cells(row: str) -> list[str]:
    return row.strip("|").split("|")


def _rows(lines: list[str]) -> list[list[str]]:
    """Return the cells of the lines of a table, up to the first line that is none."""
    end = next((i for i, line in enumerate(lines) if "|" not in line), len(lines))
    return [_cells(line) for line in lines[:end]]
