"""Where a model is weak, as a weight for each snippet: the loss of its topic, and failed questions on what it says.

Source: ReverseGen (arXiv:2410.16736) trains a proposer to write what a target model fails at; drawing seeds by failure
is the part of it that needs no second model. Formula and numbers are not in the paper.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from regraft.core import ConfigError
from regraft.synthesis.measures import STOP_WORDS, ngrams, words

MAX_SCORE = 4.0
"""A score is cut to this, up and down; not in the paper."""
MIN_TEMPERATURE = 0.05
"""Below, the weakest topic would be all that is drawn, and weights no numbers any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weakness:
    """How strongly the weaknesses of a model decide what is drawn.

    weight of a snippet = exp(score / temperature), score = loss of its topic + failure near it. Both are standard
    scores: the loss among the topics, the failure rate of questions like the snippet among all questions.
    """

    temperature: float = 1.0
    """A large one draws almost evenly."""
    floor: float = 0.3
    """Each discipline is drawn at least this part of an equal share, however well it is known."""
    prior: float = 1.0
    """How many questions of the average failure rate are added to those that are like a snippet."""

    def __post_init__(self) -> None:
        if not (self.temperature >= MIN_TEMPERATURE and self.prior > 0 and 0 <= self.floor <= 1):
            raise ConfigError(
                f"weakness: temperature {self.temperature}, prior {self.prior} and floor {self.floor}; give a "
                f"temperature of {MIN_TEMPERATURE} or more, a positive prior and a floor from 0 to 1."
            )

    def weight(self, score: float) -> float:
        """Return the weight of a snippet; 1 at score 0."""
        return math.exp(max(-MAX_SCORE, min(MAX_SCORE, score)) / self.temperature)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizItem:
    """A question that a model was asked."""

    text: str
    """The question with its right answer."""
    failed: bool


def standard_scores(losses: Mapping[str, float]) -> dict[str, float]:
    """Return (loss - mean) / standard deviation of each; 0 for all where they do not differ."""
    mean = math.fsum(losses.values()) / max(len(losses), 1)
    deviation = math.sqrt(math.fsum((loss - mean) ** 2 for loss in losses.values()) / max(len(losses), 1))
    return {name: (loss - mean) / deviation if deviation else 0.0 for name, loss in losses.items()}


class Quiz:
    """Questions that a model was asked, to find those that are like a text."""

    def __init__(self, items: Sequence[QuizItem], prior: float) -> None:
        self.failed, self.prior = [item.failed for item in items], prior
        self.rate = sum(self.failed) / len(items) if items else 0.0
        """Share of all questions that failed."""
        terms = [_terms(item.text) for item in items]
        known_in = Counter(term for found in terms for term in found)
        self._rarity = {term: math.log(len(items) / count) for term, count in known_in.items()}
        self._where: dict[tuple[str, ...], list[int]] = {}
        for number, found in enumerate(terms):
            for term in found:
                self._where.setdefault(term, []).append(number)
        self._sizes = [math.fsum(sorted(self._rarity[term] for term in found)) for found in terms]

    def failure(self, text: str) -> float:
        """Return the failure rate of the questions, each counted by how much of it stands in `text`.

        rate = (sum of similarity * failed + prior * rate of all) / (sum of similarity + prior); the similarity of a
        question is the share of its words and pairs of words that occur in the text, rare ones counting more
        (logarithm of the inverse document frequency).
        """
        shared: dict[int, float] = {}
        for term in sorted(_terms(text) & self._where.keys()):
            for number in self._where[term]:
                shared[number] = shared.get(number, 0.0) + self._rarity[term]
        like = {number: rarity / self._sizes[number] for number, rarity in shared.items() if self._sizes[number]}
        failed = math.fsum(similarity for number, similarity in like.items() if self.failed[number])
        return (failed + self.prior * self.rate) / (math.fsum(like.values()) + self.prior)

    def score(self, failure: float) -> float:
        """Return how many standard deviations of one question a rate lies above that of all questions."""
        deviation = math.sqrt(self.rate * (1 - self.rate))
        return (failure - self.rate) / deviation if deviation else 0.0


def _terms(text: str) -> set[tuple[str, ...]]:
    """Return the content words of a text and their pairs; of Han characters, which say little alone, only pairs."""
    content = [word for word in words(text) if word not in STOP_WORDS]
    alone = (gram for gram in ngrams(content, 1) if not "\u4e00" <= gram[0] <= "\u9fff")
    return {*alone, *ngrams(content, 2)}
