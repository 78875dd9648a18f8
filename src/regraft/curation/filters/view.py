"""A text as filters look at it: split once, whoever asks."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from regraft.corpus.words import num_cjk, words

_BETWEEN_PARAGRAPHS = re.compile(r"\n\s*\n")


class Repeats(NamedTuple):
    """What of some pieces of text stood there before."""

    pieces: int
    characters: int


class View:
    """The splits of one text, each made when it is first asked for and shared by all filters."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def words(self) -> Sequence[str]:
        """Words and punctuation marks, in order (`words.py`)."""
        return words(self.text)

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How often each word occurs, in the order in which they first do."""
        return Counter(self.words)

    @cached_property
    def num_cjk(self) -> int:
        """Words that are a Chinese, Japanese or Korean character."""
        return num_cjk(self.text)

    @property
    def mostly_cjk(self) -> bool:
        """Whether more than half of the words are a Chinese, Japanese or Korean character."""
        return 2 * self.num_cjk > len(self.words)

    @cached_property
    def lines(self) -> Sequence[str]:
        """Lines with something in them, without the space around."""
        return [line for line in map(str.strip, self.text.splitlines()) if line]

    @cached_property
    def paragraphs(self) -> Sequence[str]:
        """What empty lines part, without the space around."""
        return [part for part in map(str.strip, _BETWEEN_PARAGRAPHS.split(self.text)) if part]

    @cached_property
    def repeated_lines(self) -> Repeats:
        return repeats(self.lines)

    def num_words(self, characters_per_word: float) -> float:
        """Return the number of words and marks, that many CJK characters counted as one."""
        return len(self.words) - self.num_cjk + self.num_cjk / characters_per_word


def repeats(pieces: Sequence[str]) -> Repeats:
    """Return how many pieces are equal to one before them, and how long these are together."""
    if len(set(pieces)) == len(pieces):
        return Repeats(0, 0)
    again: Iterable[tuple[str, int]] = ((piece, count - 1) for piece, count in Counter(pieces).items() if count > 1)
    found = list(again)
    return Repeats(sum(count for _, count in found), sum(len(piece) * count for piece, count in found))
