"""TF-IDF of character n-grams and logistic regression, kept as a vocabulary and a file of weights."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from regraft.mixture.topics.ngrams import NgramLinear

_VOCABULARY, _WEIGHTS = "vocabulary.json", "weights.safetensors"


def fit(config: NgramLinear, texts: Sequence[str], labels: Sequence[int], folder: Path) -> None:
    """Write what is learned; `labels` count from 0 and leave none out."""
    grams = _grams(config)
    features = grams.fit_transform(texts)
    linear = LogisticRegression(C=config.strength, class_weight="balanced", max_iter=2000, random_state=config.seed)
    linear.fit(features, labels)
    coefficients, intercept = np.asarray(linear.coef_), np.asarray(linear.intercept_)
    if len(coefficients) == 1:  # of two topics scikit-learn keeps only the second
        coefficients, intercept = np.vstack([0 * coefficients, coefficients]), np.append(0.0, intercept)
    vocabulary: dict[str, Any] = grams.vocabulary_
    (folder / _VOCABULARY).write_text(json.dumps(sorted(vocabulary, key=vocabulary.__getitem__)), "utf-8")
    save_file(
        {"idf": np.asarray(grams.idf_), "coefficients": np.ascontiguousarray(coefficients), "intercept": intercept},
        folder / _WEIGHTS,
    )


class NgramModel:
    """The linear model of one folder."""

    def __init__(self, config: NgramLinear, folder: Path) -> None:
        weights = load_file(folder / _WEIGHTS)
        self.config, self.coefficients, self.intercept = config, weights["coefficients"], weights["intercept"]
        self.grams = _grams(config, json.loads((folder / _VOCABULARY).read_text("utf-8")))
        self.grams.idf_ = weights["idf"]

    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        features = self.grams.transform([text[: self.config.max_characters] for text in texts])  # (texts, n-grams)
        return softmax(features @ self.coefficients.T + self.intercept, axis=1)


def _grams(config: NgramLinear, vocabulary: list[str] | None = None) -> TfidfVectorizer:
    lengths = (1, config.ngram_length)
    return TfidfVectorizer(analyzer="char", ngram_range=lengths, sublinear_tf=True, vocabulary=vocabulary)
