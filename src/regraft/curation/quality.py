"""The quality rules of Gopher, for texts with and without spaces between words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from regraft.core import ConfigError
from regraft.corpus.document import Document, Reject
from regraft.curation.words import CJK, spaced_words, words

_CJK = re.compile(f"[{CJK}]")
_BULLETS = ("•", "‣", "▪", "◦", "●", "-", "*", "·")
_ELLIPSES = ("…", "...", "。。。")


@dataclass(frozen=True, slots=True, kw_only=True)
class GopherQuality:
    """Drops documents whose surface is not that of running text.

    Words are what spaces part, so that a lone "=" or "42" counts as one without a letter. Chinese, Japanese and Korean
    characters are words by themselves (`words.py`), so the rule on the number of words divides them by
    `characters_per_word`, the mean length rule looks at other words only and is left out where those are few, and the
    stop word rule knows both lists. For text without such characters these are the published rules; stop words are
    looked for without the punctuation around them.

    Source: arXiv:2112.11446, appendix A.1.1 "Quality filtering" [R]; what concerns Chinese is not in that paper.
    """

    min_words: int = 50
    max_words: int = 100_000
    min_mean_length: float = 3.0
    """Characters a word."""
    max_mean_length: float = 10.0
    max_symbol_share: float = 0.1
    """Hashes, or ellipses, a word."""
    max_bullet_share: float = 0.9
    """Of lines that begin with a bullet."""
    max_ellipsis_share: float = 0.3
    """Of lines that end with an ellipsis."""
    min_alphabetic_share: float = 0.8
    """Of words with a letter in them."""
    min_stop_words: int = 2
    """Different ones."""
    stop_words: tuple[str, ...] = ("the", "be", "to", "of", "and", "that", "have", "with")
    cjk_stop_words: tuple[str, ...] = ("的", "是", "在", "和", "了", "有", "不", "这")
    """Source: not in the paper."""
    characters_per_word: float = 1.5
    """Chinese characters that count as a word. Source: not in the paper."""

    def __post_init__(self) -> None:
        if not 0 < self.min_words <= self.max_words or self.characters_per_word < 1:
            raise ConfigError(f"GopherQuality needs 0 < min_words <= max_words and characters_per_word >= 1: {self}.")

    def check(self, document: Document) -> Document | Reject:
        text = document.text
        found = spaced_words(text)
        reject = self._of_words(found) or self._of_stop_words(text)
        return reject or self._of_symbols(text, len(found)) or self._of_lines(text) or document

    def _of_words(self, found: Sequence[str]) -> Reject | None:
        spaced = [word for word in found if not _CJK.match(word)]
        count = len(spaced) + (len(found) - len(spaced)) / self.characters_per_word
        if not self.min_words <= count <= self.max_words:
            return Reject("num_words", f"{count:.0f} words")
        mean = sum(map(len, spaced)) / max(len(spaced), 1)
        if 2 * len(spaced) > len(found) and not self.min_mean_length <= mean <= self.max_mean_length:
            return Reject("mean_word_length", f"{mean:.2f} characters")
        alphabetic = sum(any(map(str.isalpha, word)) for word in found) / len(found)
        if alphabetic < self.min_alphabetic_share:
            return Reject("alphabetic_words", f"{alphabetic:.2f} of the words have a letter")
        return None

    def _of_stop_words(self, text: str) -> Reject | None:
        stops = {word.lower() for word in words(text)}.intersection(self.stop_words + self.cjk_stop_words)
        return Reject("stop_words", f"only {sorted(stops)}") if len(stops) < self.min_stop_words else None

    def _of_symbols(self, text: str, num_words: int) -> Reject | None:
        for name, count in (("hashes", text.count("#")), ("ellipses", text.count("…") + text.count("..."))):
            if count / num_words > self.max_symbol_share:
                return Reject("symbols", f"{count / num_words:.2f} {name} a word")
        return None

    def _of_lines(self, text: str) -> Reject | None:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        bullets = sum(line.startswith(_BULLETS) for line in lines) / len(lines)
        if bullets > self.max_bullet_share:
            return Reject("bullet_lines", f"{bullets:.2f} of the lines")
        ellipses = sum(line.endswith(_ELLIPSES) for line in lines) / len(lines)
        return Reject("ellipsis_lines", f"{ellipses:.2f} of the lines") if ellipses > self.max_ellipsis_share else None
