"""The quality rules of Gopher, for texts with and without spaces between words."""

from dataclasses import dataclass

from regraft.core import ConfigError
from regraft.corpus.document import Document, Reject
from regraft.curation.filters.bounds import too_high, too_low
from regraft.curation.filters.view import View

_ELLIPSES = ("…", "...", "。。。")


@dataclass(frozen=True, slots=True, kw_only=True)
class GopherQuality:
    """Drops documents whose surface is not that of running text.

    Punctuation marks are words where shares of words are asked for, so that lists of figures and code show; in the
    number of words and their mean length only words with a letter or digit count. Chinese, Japanese and Korean
    characters are words by themselves (`words.py`), so `characters_per_word` of them count as one word, the mean length
    is that of other words and left out where those are few, and stop words of Chinese count too. For text without such
    characters these are the published rules.

    Source: arXiv:2112.11446, appendix A.1.1 "Quality filtering" [R]; what concerns Chinese is not in that paper.
    """

    min_words: int = 50
    max_words: int = 100_000
    min_mean_length: float = 3.0
    """Characters a word."""
    max_mean_length: float = 10.0
    max_symbol_share: float = 0.1
    """Hashes, or ellipses, a word."""
    bullets: tuple[str, ...] = ("•", "-")
    """Source: not in the paper, which says "bullet point"."""
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

    def check(self, document: Document, view: View) -> Document | Reject:
        reject = self._of_words(view) or self._of_symbols(view) or self._of_lines(view) or self._of_stop_words(view)
        return reject or document

    def _of_words(self, view: View) -> Reject | None:
        marks = mark_length = unalphabetic = 0
        for word in [word for word in view.counts if not word.isalpha()]:
            count = view.counts[word]
            if not any(map(str.isalnum, word)):
                marks, mark_length = marks + count, mark_length + count * len(word)
            elif not any(map(str.isalpha, word)):
                unalphabetic += count
        spelled, length = len(view.words) - marks, sum(map(len, view.words)) - mark_length
        spaced = spelled - view.num_cjk
        number = spaced + view.num_cjk / self.characters_per_word
        if number < self.min_words:
            return too_low("num_words", f"{number:.0f} words, marks not counted", self.min_words)
        if number > self.max_words:
            return too_high("num_words", f"{number:,.0f} words, marks not counted", self.max_words)
        mean = (length - view.num_cjk) / max(spaced, 1)
        if not view.mostly_cjk and mean < self.min_mean_length:
            return too_low("mean_word_length", f"{mean:.2f} characters a word", self.min_mean_length)
        if not view.mostly_cjk and mean > self.max_mean_length:
            return too_high("mean_word_length", f"{mean:.2f} characters a word", self.max_mean_length)
        alphabetic = (spelled - unalphabetic) / len(view.words)
        if alphabetic < self.min_alphabetic_share:
            found = f"{alphabetic:.2f} of the words and punctuation marks have a letter"
            return too_low("alphabetic_words", found, self.min_alphabetic_share)
        return None

    def _of_symbols(self, view: View) -> Reject | None:
        number, text = view.num_words(self.characters_per_word), view.text
        for name, count in (("hashes", text.count("#")), ("ellipses", text.count("…") + text.count("..."))):
            if count > self.max_symbol_share * number:
                found = f"{count / number:.2f} {name} a word or punctuation mark"
                return too_high("symbols", found, self.max_symbol_share)
        return None

    def _of_lines(self, view: View) -> Reject | None:
        bullets = sum(line.startswith(self.bullets) for line in view.lines) / len(view.lines)
        if bullets > self.max_bullet_share:
            return too_high("bullet_lines", f"{bullets:.2f} of the lines begin with a bullet", self.max_bullet_share)
        ellipses = sum(line.endswith(_ELLIPSES) for line in view.lines) / len(view.lines)
        if ellipses > self.max_ellipsis_share:
            found = f"{ellipses:.2f} of the lines end with an ellipsis"
            return too_high("ellipsis_lines", found, self.max_ellipsis_share)
        return None

    def _of_stop_words(self, view: View) -> Reject | None:
        wanted = (*self.stop_words, *self.cjk_stop_words)
        found = [word for word in wanted if word in view.counts or word.capitalize() in view.counts]
        if len(found) < self.min_stop_words:
            return too_low("stop_words", f"{len(found)} different stop words {sorted(found)}", self.min_stop_words)
        return None
