"""The default classifier: TF-IDF of character n-grams and a linear model. It needs no weights and knows every script.

The paper fine-tunes TinyBERT [N]; this is the cheap model beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regraft.core import ConfigError
from regraft.mixture.topics.classifier import Means, Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class NgramLinear:
    """Character n-grams and logistic regression, every topic weighing the same. None of it is in the paper."""

    max_characters: int = 4000
    """Read from the start of each document."""
    ngram_length: int = 3
    """n-grams of 1 to this many characters."""
    strength: float = 10.0
    """Inverse of the regularisation (C of scikit-learn); by cross-validation of the seeds that ship with regraft."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.max_characters, self.ngram_length) < 1 or self.strength <= 0:
            raise ConfigError(f"max_characters, ngram_length and strength must be positive: {self}.")

    def fit(self, texts: Sequence[str], labels: Sequence[int], num_topics: int, folder: Path, means: Means) -> None:
        """Write vocabulary and weights; as `Classifier.fit`."""
        from regraft.mixture.topics.ngram_model import fit

        fit(self, self._cut(texts), labels, folder)

    def open(self, folder: Path, means: Means) -> Predictor:
        """Return the classifier in `folder`; as `Classifier.open`."""
        from regraft.mixture.topics.ngram_model import NgramModel

        return NgramModel(self, folder)

    def _cut(self, texts: Sequence[str]) -> list[str]:
        return [text[: self.max_characters] for text in texts]
