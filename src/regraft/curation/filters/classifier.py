"""Documents by the score that a trained classifier gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from regraft.core import ConfigError, RawFiles, SourceFile
from regraft.corpus.document import Document, Reject
from regraft.curation.filters.bounds import too_low
from regraft.curation.filters.length import only
from regraft.curation.filters.view import View

_PREFIX = "__label__"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierScore:
    """Keeps documents to which a fastText model gives a label with at least some probability.

    The model, `.bin` or `.ftz`, enters by content. Text is given to it as one line; lower case or words set apart,
    if it was trained on such, are not made here.

    Source: the paper's successor chooses documents by fastText classifiers (paper_facts 1.3, [Y]); the threshold is not
    in the paper.
    """

    model: RawFiles
    label: str
    """With or without `__label__` before it."""
    min_score: float = 0.5

    def __post_init__(self) -> None:
        if not self.label or not 0 <= self.min_score <= 1:
            raise ConfigError(f"ClassifierScore needs a label and a min_score between 0 and 1: {self}.")

    def opened(self, located: Mapping[SourceFile, Path]) -> "Scored":
        """Return the filter that scores.

        Raises:
            ConfigError: `model` is not one file, no fastText model, or has no such label.
        """
        path = only(self.model, located, "ClassifierScore.model")
        label = _PREFIX + self.label.removeprefix(_PREFIX)
        labels = labels_of(path)
        if label not in labels:
            raise ConfigError(f"{path.name} has no label {self.label!r}; it has {', '.join(sorted(labels)[:20])}.")
        return Scored(path, label, self.min_score)


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores with a model that lies at a path."""

    path: Path
    label: str
    min_score: float

    def check(self, document: Document, view: View) -> Document | Reject:
        score = _score(self.path, self.label, view.text)
        if score >= self.min_score:
            return document
        found = f"probability {score:.3f} of {self.label.removeprefix(_PREFIX)!r}"
        return too_low("classifier_score", found, self.min_score)


def labels_of(path: Path) -> frozenset[str]:
    """Return the labels of a fastText model.

    Raises:
        ConfigError: the file is none.
    """
    try:
        return frozenset(_predicted(_model(path), "a"))
    except ValueError as error:
        raise ConfigError(f"{path.name} is no fastText model: {error}") from error


def _score(path: Path, label: str, text: str) -> float:
    return min(_predicted(_model(path), " ".join(text.split())).get(label, 0.0), 1.0)


def _predicted(model: Any, line: str) -> dict[str, float]:
    labels, probabilities = model.predict(line, k=-1, threshold=-1.0)  # above 0 it leaves out unlikely labels
    return dict(zip(labels, map(float, probabilities), strict=True))


@cache
def _model(path: Path) -> Any:
    """Load a model. Packages that train bring a module `fasttext` too: either predicts in the same way."""
    import fasttext

    return fasttext.load_model(str(path))
