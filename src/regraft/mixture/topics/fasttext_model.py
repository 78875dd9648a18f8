"""Training and prediction of the fastText model, one example at a time as in the library, always in one thread.

Legend: N n-grams known, D dimensions, K topics.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from scipy.special import softmax

from regraft.core import ConfigError
from regraft.mixture.topics.fasttext import FastText

_WEIGHTS = "weights.safetensors"
_WORD = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|[^\W_\u3400-\u9fff\uf900-\ufaff]+")
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, so that the hash of an n-gram depends on the order of its words

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def fit(config: FastText, texts: Sequence[str], labels: Sequence[int], num_topics: int, folder: Path) -> None:
    """Write what is learned.

    Raises:
        ConfigError: no n-gram occurs often enough.
    """
    hashes = [_hashes(config, text) for text in texts]
    found, counts = np.unique(np.concatenate(hashes), return_counts=True)
    known = found[counts >= config.min_count]
    if not len(known):
        raise ConfigError(f"No word of {len(texts)} examples occurs {config.min_count} times (FastText.min_count).")
    vectors, output = _train(config, [_rows(known, h) for h in hashes], labels, len(known), num_topics)
    save_file({"known": known, "vectors": vectors, "output": output}, folder / _WEIGHTS)


def _train(
    config: FastText, documents: Sequence[Ids], labels: Sequence[int], num_known: int, num_topics: int
) -> tuple[Floats, Floats]:
    """Return the vectors (N, D) and the output matrix (K, D) after `epoch` passes in an order that the seed decides."""
    generator = np.random.default_rng(config.seed)
    vectors = generator.uniform(-1 / config.dim, 1 / config.dim, (num_known, config.dim)).astype(np.float32)
    output = np.zeros((num_topics, config.dim), np.float32)
    order = np.concatenate([generator.permutation(len(documents)) for _ in range(config.epoch)])
    for step, index in enumerate(order):
        rows = documents[index]
        if not len(rows):
            continue
        rate = np.float32(config.lr * (1 - step / len(order)))
        hidden = vectors[rows].mean(axis=0)  # (D,)
        error = -softmax(output @ hidden)  # (K,)
        error[labels[index]] += 1
        gradient = error @ output  # (D,)
        output += rate * np.outer(error, hidden)
        np.add.at(vectors, rows, rate * gradient / np.float32(len(rows)))
    return vectors, output


class FastTextModel:
    """The model of one folder."""

    def __init__(self, config: FastText, folder: Path) -> None:
        weights = load_file(folder / _WEIGHTS)
        self.config, self.known = config, weights["known"]
        self.scores = weights["vectors"] @ weights["output"].T  # (N, K): what each n-gram says of each topic

    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        return softmax(np.array([self._score(text) for text in texts], np.float64), axis=1)

    def _score(self, text: str) -> npt.NDArray[np.floating]:
        rows = _rows(self.known, _hashes(self.config, text))
        return self.scores[rows].mean(axis=0) if len(rows) else np.zeros(self.scores.shape[1])


def _hashes(config: FastText, text: str) -> npt.NDArray[np.uint64]:
    """Return the hash of every n-gram of words of a text, the shorter first."""
    words = [_hash(word) for word in _WORD.findall(text[: config.max_characters].lower())]
    grams = [np.array(words, np.uint64)]
    for length in range(2, config.word_ngrams + 1):
        longer = grams[-1][:-1] * _MIX + grams[0][length - 1 :]  # wraps around
        grams.append(longer)
    return np.concatenate(grams)


@lru_cache(maxsize=1_000_000)
def _hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")


def _rows(known: npt.NDArray[np.uint64], hashes: npt.NDArray[np.uint64]) -> Ids:
    """Return the rows of the n-grams that are known."""
    rows = np.searchsorted(known, hashes)
    rows[rows == len(known)] = 0
    return rows[known[rows] == hashes]
