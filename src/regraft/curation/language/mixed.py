"""Pages in more than one language: kept, cut or dropped, by how much of them is in another."""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from regraft.core import ConfigError
from regraft.corpus.document import Changed, Document, Outcome
from regraft.curation.filters.bounds import too_high
from regraft.curation.language.identify import detect

if TYPE_CHECKING:
    from regraft.curation.filters.view import View

_LETTER = re.compile(r"[^\W\d_]")
_PARTS = re.compile(r"(\n\n)")


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedLanguages:
    """Keeps pages that are nearly in one language, cuts what is foreign out of others, drops those that are foreign.

    The rule: a paragraph is foreign if it is prose and the language that it looks like, with at least `min_score`, is
    not that of the document. Prose has at least `min_letters` letters, and these are at least `min_letter_share` of its
    characters but spaces; so headings, lists of names, code and what programs print are never foreign. The share of
    foreign paragraphs is that of their letters among those of all prose. Up to `keep_share` the document stays whole,
    up to `cut_share` it loses its foreign paragraphs, counted as `foreign_paragraphs`, above it is dropped. Before
    `LanguageFilter`, which judges a page as a whole, this saves pages that are half translated.

    Source: not in the paper, thresholds included.
    """

    keep_share: float = 0.05
    cut_share: float = 0.5
    min_score: float = 0.7
    min_letters: int = 60
    """Of a paragraph of prose; a Chinese character counts as three."""
    min_letter_share: float = 0.8

    def __post_init__(self) -> None:
        if not 0 <= self.keep_share <= self.cut_share <= 1:
            raise ConfigError(f"MixedLanguages needs 0 <= keep_share <= cut_share <= 1: {self}.")
        if not 0 <= self.min_score <= 1 or not 0 <= self.min_letter_share <= 1 or self.min_letters < 1:
            raise ConfigError(f"MixedLanguages needs shares between 0 and 1, and min_letters of at least 1: {self}.")

    def check(self, document: Document, view: "View") -> Outcome:
        pieces = _PARTS.split(document.text)
        own = document.language or detect(document.text)[0]
        weights = {number: weight for number in range(0, len(pieces), 2) if (weight := self._prose(pieces[number]))}
        foreign = [number for number in weights if self._is_foreign(pieces[number], own)]
        share = sum(weights[number] for number in foreign) / max(sum(weights.values()), 1)
        if share > self.cut_share:
            return too_high("mixed_languages", f"{share:.2f} of the prose is not in {own}", self.cut_share)
        if share <= self.keep_share:
            return document
        dropped = {number + offset for number in foreign for offset in (0, 1)}
        text = "".join(piece for number, piece in enumerate(pieces) if number not in dropped)
        return Changed(replace(document, text=text.strip("\n")), {"foreign_paragraphs": len(foreign)})

    def _prose(self, paragraph: str) -> int:
        """Return the letters of a paragraph of prose, else 0."""
        letters = _LETTER.findall(paragraph)
        weight = sum(3 if letter >= "\u2e80" else 1 for letter in letters)
        solid = len("".join(paragraph.split()))
        return weight if weight >= self.min_letters and len(letters) >= self.min_letter_share * solid else 0

    def _is_foreign(self, paragraph: str, own: str) -> bool:
        language, score = detect(paragraph)
        return language != own and score >= self.min_score
