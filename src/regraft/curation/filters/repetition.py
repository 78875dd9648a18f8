"""The repetition rules of Gopher: lines, paragraphs and word n-grams that occur again and again."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from regraft.core import ConfigError
from regraft.corpus.document import Document, Reject
from regraft.curation.filters.bounds import too_high
from regraft.curation.filters.view import Repeats, View, repeats


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
            raise ConfigError(
                f"GopherRepetition needs n-grams of 2 words or more and characters_per_word >= 1: {self}."
            )

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
            said = f"{found.pieces / len(pieces):.2f} of the {name}s stood there before"
            return too_high(f"repeated_{name}s", said, max_share)
        if found.characters > max_characters * len(view.text):
            said = f"{found.characters / len(view.text):.2f} of the characters are in {name}s that stood there before"
            return too_high(f"repeated_{name}_characters", said, max_characters)
        return None

    def _of_ngrams(self, view: View) -> Reject | None:
        from regraft.curation.filters.repeated_ngrams import repeated_ngrams

        longer = self.characters_per_word if view.mostly_cjk else 1
        top = {ceil(size * longer): (size, most) for size, most in self.top_ngrams}
        again = {ceil(size * longer): (size, most) for size, most in self.repeated_ngrams}
        for found in repeated_ngrams(view.words, view.counts, max((*top, *again), default=0)):
            size, most = top.get(found.size, (0, 1.0))
            if size and (share := found.top_characters(spaces=not view.mostly_cjk) / len(view.text)) > most:
                said = f"{share:.2f} of the characters are in the most frequent {found.size}-gram"
                return too_high(f"top_{size}_grams", said, most)
            size, most = again.get(found.size, (0, 1.0))
            if size and (share := found.repeated_characters() / len(view.text)) > most:
                said = f"{share:.2f} of the characters are in {found.size}-grams that stood there before"
                return too_high(f"repeated_{size}_grams", said, most)
        return None
