"""The model of fastText: the mean of the vectors of words and word n-grams, and a linear softmax.

Trained here, in numpy, not by the library: its packages that train bring a module named `fasttext`, as the predicting
one does that curation and language identification stand on, and two of one name cannot be installed together. Models
are not exchanged with the library, and there are no character n-grams and no end-of-line token.

Source: Joulin et al., arXiv:1607.01759; the paper's successor recalls topics with fastText and TinyBERT [Y].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regraft.core import ConfigError
from regraft.mixture.topics.classifier import Means, Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class FastText:
    """Words (a Han character is one) and their n-grams; the settings bear the names of the library's.

    An n-gram is known if the examples hold it `min_count` times (the library counts words only), and has a vector of
    its own: there are no buckets that several share. None of the settings is in the paper; they were chosen by
    cross-validation of few seeds.
    """

    max_characters: int = 4000
    """Read from the start of each document."""
    word_ngrams: int = 2
    """n-grams of 1 to this many words."""
    min_count: int = 1
    dim: int = 32
    epoch: int = 50
    lr: float = 1.0
    """Of the first step; it falls to 0 in a straight line."""
    seed: int = 0

    def __post_init__(self) -> None:
        sizes = (self.max_characters, self.word_ngrams, self.min_count, self.dim, self.epoch)
        if min(sizes) < 1 or self.lr <= 0:
            raise ConfigError(f"All settings but the seed must be positive: {self}.")

    def fit(self, texts: Sequence[str], labels: Sequence[int], num_topics: int, folder: Path, means: Means) -> None:
        """Write n-grams and vectors; as `Classifier.fit`."""
        from regraft.mixture.topics.fasttext_model import fit

        fit(self, texts, labels, num_topics, folder)

    def open(self, folder: Path, means: Means) -> Predictor:
        """Return the classifier in `folder`; as `Classifier.open`."""
        from regraft.mixture.topics.fasttext_model import FastTextModel

        return FastTextModel(self, folder)
