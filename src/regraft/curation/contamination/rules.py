"""When a document holds too much of a benchmark item: by words, or by tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from regraft.core import ConfigError

if TYPE_CHECKING:
    from regraft.curation.contamination.index import Split
    from regraft.curation.contamination.verdicts import Flags, Shares
    from regraft.curation.ngrams import Places


class Rule(Protocol):
    """What is looked for of an item, and how much of it is too much."""

    def split(self, tokenizer: Path | None) -> "Split":
        """Return how texts are split into units."""
        ...

    def size(self, num_units: int) -> int:
        """Return the length of the n-grams, in units, by which a part of so many is looked for; 0: it is not."""
        ...

    def guilty(self, share: "Shares", document_share: "Shares", length: "Places") -> "Flags":
        """Return which matches are too much.

        Args:
            share: of the words looked for of a part of an item that are in a document.
            document_share: of the n-grams of that document that are of any item.
            length: of the n-grams by which that part was looked for.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WordNgrams:
    """Word n-grams, without regard to case and punctuation; a CJK character is a word, so Chinese is compared by
    characters, and a run in mixed text counts both.

    Source: arXiv:2005.14165 (GPT-3), appendix C, word 13-grams [R]; the rest is not in the paper.
    """

    length: int = 13
    short_length: int = 8
    """For a part of fewer words than `length`; one of fewer still is looked for whole."""
    min_words: int = 8
    """A part of fewer is not looked for: it says what anybody says."""
    min_share: float = 0.5
    """Of the words of a part of an item, those that stand in a common n-gram, from which a document is acted upon.

    Words that stand in stop-listed n-grams only are not looked for, and not counted: what is left tells the item.

    Source: arXiv:2411.15124 (Tulu 3), more than half of the tokens of a test item [R].
    """
    min_short_share: float = 1.0
    """The same for a part of fewer words than `length`: it has to be there whole.

    Source: not in the paper. Of 39 matches of BoolQ questions in Wikipedia by half of their words, 38 were titles and
    phrases.
    """

    def __post_init__(self) -> None:
        if not 1 <= self.short_length <= self.length or self.min_words < 1:
            raise ConfigError(f"WordNgrams needs 1 <= short_length <= length and min_words >= 1: {self}.")
        for name in ("min_share", "min_short_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be between 0 and 1.")

    def split(self, tokenizer: Path | None) -> "Split":
        from regraft.curation.contamination.index import WordSplit

        return WordSplit()

    def size(self, num_units: int) -> int:
        if num_units < self.min_words:
            return 0
        return self.length if num_units >= self.length else min(self.short_length, num_units)

    def guilty(self, share: "Shares", document_share: "Shares", length: "Places") -> "Flags":
        import numpy as np

        return share >= np.where(length < self.length, self.min_short_share, self.min_share)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenNgrams:
    """N-grams of tokens, and the share of the document that they are; needs the input `model`.

    Source: arXiv:2412.17743 (YuLan-Mini), 20-grams and a tenth of the document; n-grams that occur more than 4 times
    are left out there, so set `max_items` and `max_documents` to 4 [Y].
    """

    length: int = 20
    max_document_share: float = 0.1

    def __post_init__(self) -> None:
        if self.length < 1 or not 0 <= self.max_document_share < 1:
            raise ConfigError(f"TokenNgrams needs length >= 1 and 0 <= max_document_share < 1: {self}.")

    def split(self, tokenizer: Path | None) -> "Split":
        from regraft.curation.contamination.index import TokenSplit

        if tokenizer is None:
            raise ConfigError("rule is TokenNgrams, but the step has no input `model`; wire one.")
        return TokenSplit(tokenizer)

    def size(self, num_units: int) -> int:
        return self.length if num_units >= self.length else 0

    def guilty(self, share: "Shares", document_share: "Shares", length: "Places") -> "Flags":
        return document_share > self.max_document_share
