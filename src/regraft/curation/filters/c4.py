"""The cleaning rules of C4: lines that are no sentences go, and documents in which too few are left."""

import re
from collections import Counter
from dataclasses import dataclass, replace

from regraft.core import ConfigError
from regraft.corpus.document import Changed, Document, Outcome, Reject
from regraft.corpus.words import CJK, num_cjk, num_sentences
from regraft.curation.filters.bounds import too_low
from regraft.curation.filters.view import View

_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_CJK = re.compile(f"[{CJK}]+")
_ELLIPSES = ("...", "。。。")


@dataclass(frozen=True, slots=True, kw_only=True)
class C4:
    """Removes lines that are no sentences, and drops documents with code, filler text or few sentences.

    What is left of a document is its remaining lines, without empty ones between. `characters_per_word` Chinese,
    Japanese or Korean characters count as one word of a line; no word of them is too long.

    Source: arXiv:1910.10683, section 2.2 [R], without its list of bad words; the notices and the longest word are in
    the code that made C4 [R]. What concerns Chinese is in neither.
    """

    terminal_marks: tuple[str, ...] = (".", "?", "!", '"', "'", "”", "’", "。", "？", "！", "」", "』")
    """A line that ends with none of them is removed; empty keeps them all, as FineWeb does."""
    min_words_per_line: int = 3
    """Source: first versions of the paper. The last one, and the code, say 5, and 3 sentences."""
    max_word_length: int = 1000
    """Characters. A line with a longer word is removed."""
    min_sentences: int = 5
    line_phrases: tuple[str, ...] = (
        "javascript",
        "terms of use",
        "privacy policy",
        "cookie policy",
        "uses cookies",
        "use of cookies",
        "use cookies",
        "使用条款",
        "隐私政策",
    )
    """In lower case; a line with one of them is removed."""
    document_phrases: tuple[str, ...] = ("lorem ipsum", "{")
    """In lower case; a document with one of them in a line that was not removed is dropped."""
    remove_citations: bool = True
    """Numbers and notes in square brackets, as in Wikipedia."""
    characters_per_word: float = 1.5

    def __post_init__(self) -> None:
        phrases = (*self.line_phrases, *self.document_phrases)
        if any(not phrase or phrase != phrase.lower() for phrase in phrases) or self.characters_per_word < 1:
            raise ConfigError(f"C4 needs phrases in lower case and characters_per_word of at least 1: {self}.")

    def check(self, document: Document, view: View) -> Outcome:
        lower = view.text.lower()
        unwanted = tuple(phrase for phrase in self.line_phrases if phrase in lower)
        forbidden = tuple(phrase for phrase in self.document_phrases if phrase in lower)
        done: Counter[str] = Counter()
        kept: list[str] = []
        for line in view.lines:
            if self.remove_citations and "[" in line:
                line, found = _CITATION.subn("", line)
                done.update({"citations": found} if found else {})
            if fault := self._fault(line, unwanted):
                done[fault] += 1
            elif phrase := _first(forbidden, line):
                return Reject("phrase", f"{phrase!r} in a line")
            else:
                kept.append(line)
        return self._of_sentences(kept) or _changed(document, "\n".join(kept).strip(), done)

    def _fault(self, line: str, unwanted: tuple[str, ...]) -> str:
        """Return why a line is removed, empty when it stays."""
        if len(line) > self.max_word_length and max(map(len, _spaced(line)), default=0) > self.max_word_length:
            return "lines_with_long_word"
        if self.terminal_marks and (not line.endswith(self.terminal_marks) or line.endswith(_ELLIPSES)):
            return "lines_without_punctuation"
        if len(_spaced(line)) + num_cjk(line) / self.characters_per_word < self.min_words_per_line:
            return "lines_of_few_words"
        return "lines_with_phrase" if _first(unwanted, line) else ""

    def _of_sentences(self, lines: list[str]) -> Reject | None:
        sentences = 0
        for line in lines:
            if sentences >= self.min_sentences:
                return None
            sentences += num_sentences(line)
        found = f"{sentences} sentences in {len(lines)} lines that stay"
        return too_low("few_sentences", found, self.min_sentences) if sentences < self.min_sentences else None


def _spaced(line: str) -> list[str]:
    """Return what spaces part; in a line with CJK characters what they part too, lone marks left out."""
    if not num_cjk(line):
        return line.split()
    return [part for part in _CJK.sub(" ", line).split() if any(map(str.isalnum, part))]


def _first(phrases: tuple[str, ...], line: str) -> str:
    """Return the first of some phrases that is in a line; empty for none."""
    return next((phrase for phrase in phrases if phrase in line.lower()), "")


def _changed(document: Document, text: str, done: Counter[str]) -> Outcome:
    return Changed(replace(document, text=text), done) if done else replace(document, text=text)
