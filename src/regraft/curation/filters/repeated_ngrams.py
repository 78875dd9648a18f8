"""Where word n-grams stand that occur more than once in a text, for n = 2, 3, ...

`M` words, `P` places at which such an n-gram begins.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Repeated:
    """The n-grams of one size that occur twice or more."""

    size: int
    places: Ints  # [P] first word, ascending
    classes: Ints  # [P] equal for equal n-grams
    counts: Ints  # [P] how often the n-gram occurs
    ends: Ints  # [M + 1] characters before each word, spaces not counted

    def top_characters(self, spaces: bool) -> int:
        """Return the characters of the most frequent n-gram, wherever it stands; the first of equals.

        With `spaces`, those between its words count.
        """
        first = int(np.argmax(self.counts))
        place = self.places[first]
        length = self.ends[place + self.size] - self.ends[place] + spaces * (self.size - 1)
        return int(self.counts[first] * length)

    def repeated_characters(self) -> int:
        """Return the characters in n-grams that stood there before, from left to right, none counted twice."""
        lengths = (self.ends[self.places + self.size] - self.ends[self.places]).tolist()
        seen: set[int] = set()
        characters = free = 0
        for place, class_, length in zip(self.places.tolist(), self.classes.tolist(), lengths, strict=True):
            if place < free:
                continue
            if class_ in seen:
                characters, free = characters + length, place + self.size
            else:
                seen.add(class_)
        return characters


def repeated_ngrams(words: Sequence[str], counts: Mapping[str, int], longest: int) -> Iterator[Repeated]:
    """Yield the repeated n-grams of n = 2, 3, ... `longest` words; end where there are none.

    An n-gram occurs twice only if both (n-1)-grams in it do, so few places are looked at. `counts` are of the words.
    """
    number = {word: index for index, word in enumerate(counts)}
    classes = np.fromiter(map(number.__getitem__, words), np.int64, len(words))
    ends = np.concatenate([[0], np.cumsum(np.fromiter(map(len, counts), np.int64, len(counts))[classes])])
    places = np.arange(len(words))
    for size in range(2, longest + 1):
        neighbours = np.flatnonzero(np.diff(places) == 1)
        pairs = classes[neighbours] * len(words) + classes[neighbours + 1]
        classes, each = _classes(pairs)
        again = np.flatnonzero(each > 1)
        if not len(again):
            return
        places, classes = places[neighbours[again]], classes[again]
        yield Repeated(size, places, classes, each[again], ends)


def _classes(values: Ints) -> tuple[Ints, Ints]:
    """Return for each value a number that equal ones share, below the number of values, and how many are equal."""
    order = np.argsort(values)
    in_order = values[order]
    ranks = np.cumsum(np.diff(in_order, prepend=in_order[:1]) != 0)
    classes = np.empty_like(ranks)
    classes[order] = ranks
    return classes, np.bincount(ranks)[classes] if len(values) else classes
