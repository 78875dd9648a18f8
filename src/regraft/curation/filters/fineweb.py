"""The rules that FineWeb adds to those of Gopher and C4."""

from dataclasses import dataclass

from regraft.core import ConfigError
from regraft.corpus.document import Document, Reject
from regraft.corpus.words import num_cjk
from regraft.curation.filters.bounds import too_high, too_low
from regraft.curation.filters.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class FineWeb:
    """Drops documents that are lists rather than sentences, and those that repeat lines.

    `characters_per_word` Chinese, Japanese or Korean characters count as one word, and in the length of a line one of
    them as `cjk_character` characters, since a Chinese sentence is that much shorter than its English translation.

    Source: arXiv:2406.17557, section 3.6 [R], and the code that made FineWeb; what concerns Chinese is in neither.
    """

    min_punctuation_share: float = 0.12
    """Of lines that end with one of `terminal_marks`."""
    terminal_marks: str = ".!?‼‽⁇⁈⁉։؟۔܀܁܂।॥၊။።፧፨។៕᠃᠉。！？｡．"
    max_short_share: float = 0.67
    """Of lines of `short_line` characters and less."""
    short_line: int = 30
    max_repeated_characters: float = 0.01
    """Share of the characters that are in lines that stood there before. The paper says 0.1, the code 0.01."""
    max_newlines: float = 0.3
    """A word. In the code, not in the paper."""
    characters_per_word: float = 1.5
    cjk_character: float = 4.0
    """Characters. An English word and its space have six: `characters_per_word` times this."""

    def __post_init__(self) -> None:
        if min(self.characters_per_word, self.cjk_character) < 1 or not self.terminal_marks:
            raise ConfigError(
                f"FineWeb needs terminal_marks, and 1 or more for characters_per_word and cjk_character: {self}."
            )

    def check(self, document: Document, view: View) -> Document | Reject:
        if not view.lines:
            return Reject("no_lines")
        return self._of_lines(view) or self._of_newlines(view) or document

    def _of_lines(self, view: View) -> Reject | None:
        lines, marks = view.lines, tuple(self.terminal_marks)
        ended = sum(line.endswith(marks) for line in lines) / len(lines)
        if ended < self.min_punctuation_share:
            found = f"{ended:.2f} of the lines end with a mark"
            return too_low("line_punctuation", found, self.min_punctuation_share)
        short = sum(self._length(line) <= self.short_line for line in lines) / len(lines)
        if short > self.max_short_share:
            found = f"{short:.2f} of the lines have {self.short_line} characters or less"
            return too_high("short_lines", found, self.max_short_share)
        repeated = view.repeated_lines.characters / (len(view.text) - view.text.count("\n"))
        if repeated > self.max_repeated_characters:
            found = f"{repeated:.3f} of the characters are in lines that stood there before"
            return too_high("repeated_lines", found, self.max_repeated_characters)
        return None

    def _length(self, line: str) -> float:
        return len(line) + (self.cjk_character - 1) * num_cjk(line) if len(line) <= self.short_line else len(line)

    def _of_newlines(self, view: View) -> Reject | None:
        newlines = view.text.count("\n") / max(view.num_words(self.characters_per_word), 1)
        if newlines > self.max_newlines:
            return too_high("newlines", f"{newlines:.2f} line breaks a word or punctuation mark", self.max_newlines)
        return None
