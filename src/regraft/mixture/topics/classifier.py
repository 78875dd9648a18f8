"""What every classifier of topics is: a frozen dataclass of settings that learns from examples and is opened again.

One of your own needs no more than these two methods, and may stand in the file of your recipe. What it learns lies in
files, never in a pickle, so that worker processes can open it and an artifact can keep it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

DECIMALS = 4
"""Of a probability: sums of 32-bit floats differ beyond with the number of threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a classifier is given beside its settings and examples."""

    encoder: Path | None = None
    """A Transformers folder, from the input `encoder`."""
    device: str = "cpu"
    threads: int = 1
    """Of one operation; what libraries other than Torch do is not bound by it."""


class Predictor(Protocol):
    """A classifier that has learned."""

    def predict(self, texts: Sequence[str]) -> "npt.NDArray[np.float64]":
        """Return the probability of each topic: (texts, topics), rows sum to 1."""
        ...


class Classifier(Protocol):
    """A kind of classifier and its settings."""

    def fit(self, texts: Sequence[str], labels: Sequence[int], num_topics: int, folder: Path, means: Means) -> None:
        """Write to the empty `folder` what is learned from texts and the index of the topic of each."""
        ...

    def open(self, folder: Path, means: Means) -> Predictor:
        """Return the classifier that `fit` wrote."""
        ...
