"""The repetition rules of Gopher: lines, paragraphs and word n-grams that occur again and again."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil

from regraft.core import ConfigError
from regraft.corpus.document import Document, Reject
from regraft.curation.view import Repeats, View, repeats

Gram = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GopherRepetition:
    """Drops documents that say the same thing many times over.

    A Chinese, Japanese or Korean character is a word (`words.py`), but says less than one: five of them stand together
    twice in any long text. Where most words are such characters, n-grams are `characters_per_word` times as long,
    rounded up.

    Source: arXiv:2112.11446, table A1 [R]; what concerns Chinese is not in that paper. An n-gram that occurs once is
    no repetition here, however long it is.
    """

    max_line_share: float = 0.3
    """Of lines that stood there before."""
    max_paragraph_share: float = 0.3
    max_line_characters: float = 0.2
    """Share of the characters that are in lines that stood there before."""
    max_paragraph_characters: float = 0.2
    top_ngrams: tuple[tuple[int, float], ...] = ((2, 0.2), (3, 0.18), (4, 0.16))
    """Words, and the largest share of the characters that the most frequent n-gram of so many may have."""
    repeated_ngrams: tuple[tuple[int, float], ...] = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1))
    """Words, and the largest share of the characters in n-grams of so many that stood there before."""
    characters_per_word: float = 1.5
    """Chinese characters that count as a word. Source: not in the paper."""

    def __post_init__(self) -> None:
        sizes = [size for size, _ in (*self.top_ngrams, *self.repeated_ngrams)]
        if min(sizes, default=2) < 2 or self.characters_per_word < 1:
            raise ConfigError(f"GopherRepetition needs n-grams of 2 words or more and characters_per_word >= 1: {self}.")

    def check(self, document: Document, view: View) -> Document | Reject:
        return self._of_pieces(view) or self._of_ngrams(view) or document

    def _of_pieces(self, view: View) -> Reject | None:
        paragraphs = repeats(view.paragraphs)
        return self._of_repeats(
            "paragraph", paragraphs, view.paragraphs, view, self.max_paragraph_share, self.max_paragraph_characters
        ) or self._of_repeats(
            "line", view.repeated_lines, view.lines, view, self.max_line_share, self.max_line_characters
        )

    def _of_repeats(
        self, name: str, found: Repeats, pieces: Sequence[str], view: View, max_share: float, max_characters: float
    ) -> Reject | None:
        if found.pieces > max_share * len(pieces):
            return Reject(f"repeated_{name}s", f"{found.pieces / len(pieces):.2f} of the {name}s")
        if found.characters > max_characters * len(view.text):
            share = found.characters / len(view.text)
            return Reject(f"repeated_{name}_characters", f"{share:.2f} of the characters")
        return None

    def _of_ngrams(self, view: View) -> Reject | None:
        longer = self.characters_per_word if view.mostly_cjk else 1
        top = {ceil(size * longer): (size, share) for size, share in self.top_ngrams}
        again = {ceil(size * longer): (size, share) for size, share in self.repeated_ngrams}
        words = tuple(view.words)
        ends = list(accumulate(map(len, words), initial=0))
        for grown, places, counts in repeated_ngrams(words, max((*top, *again), default=0)):
            for limits, of, what in ((top, top_characters, "top"), (again, again_characters, "repeated")):
                size, most = limits.get(grown, (0, 0.0))
                if size and (share := of(places, counts, grown, ends, words) / len(view.text)) > most:
                    return Reject(f"{what}_{size}_grams", f"{share:.2f} of the characters")
        return None


def repeated_ngrams(words: Gram, longest: int) -> Iterator[tuple[int, Sequence[int], Mapping[Gram, int]]]:
    """Yield for n = 2, 3, ... `longest` where n-grams stand that occur twice or more, in order, and counts of n-grams.

    It ends where none does. An n-gram occurs twice only if both (n-1)-grams in it do, so few places are looked at.
    """
    starts: Sequence[int] = range(len(words) - 1)
    grams: Sequence[Gram] = list(pairwise(words))
    for size in range(2, longest + 1):
        counts = Counter(grams)
        places = [start for start, count in zip(starts, map(counts.__getitem__, grams), strict=True) if count > 1]
        if not places:
            return
        yield size, places, counts
        starts = [start for start, after in pairwise(places) if after == start + 1]
        grams = [words[start : start + size + 1] for start in starts]


def top_characters(
    places: Sequence[int], counts: Mapping[Gram, int], size: int, ends: Sequence[int], words: Gram
) -> int:
    """Return the characters of the most frequent n-gram, wherever it stands, spaces in it counted; the first of equals."""
    most = max(counts.values())
    gram = next(gram for gram, count in counts.items() if count == most)
    return most * (sum(map(len, gram)) + size - 1)


def again_characters(
    places: Sequence[int], counts: Mapping[Gram, int], size: int, ends: Sequence[int], words: Gram
) -> int:
    """Return the characters in n-grams that stood there before, none counted twice; read from left to right."""
    seen: set[Gram] = set()
    characters = free = 0
    for place in places:
        if place < free:
            continue
        gram = words[place : place + size]
        if gram in seen:
            characters += ends[place + size] - ends[place]
            free = place + size
        else:
            seen.add(gram)
    return characters
