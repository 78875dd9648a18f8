"""Content snippets of documents: whole paragraphs of running prose, with the place they were taken from.

Source: Llama-3-SynE (arXiv:2407.18743) takes "a content snippet" of a page; which one and how long is not in the paper.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from regraft.core import ConfigError

MIN_HAN = 0.1
"""Share of the letters of a Chinese text that are Han, the rest being names and terms; not in the paper."""
_HAN = re.compile(r"[\u4e00-\u9fff]")
_LINE = re.compile(r"[^\n]+")
_SENTENCE_END = re.compile(r"[.!?](?=\s)|[。！？]")
_ITEM = re.compile(r"\s*(?:[-*•·#>|$]|\d+[.)]\s|[a-z][.)]\s)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """`text` is what stands from `start` to `end` (characters) in a document."""

    document: str
    start: int
    end: int
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SnippetRule:
    """What makes a snippet. All of it is not in the paper."""

    characters: int = 900
    """At most so many; a longer paragraph is cut after a sentence."""
    min_characters: int = 300
    min_prose: float = 0.8
    """Share of a snippet's characters that stand in lines of prose: no list items, code, tables or headings."""
    min_line: int = 60
    """A line of prose has so many characters; a third of that where a character is a syllable or word (Han)."""

    def __post_init__(self) -> None:
        if not 0 < self.min_characters <= self.characters:
            raise ConfigError(
                f"snippets: min_characters is {self.min_characters}, characters is {self.characters}; "
                "0 < min_characters <= characters is asked for."
            )
        if not 0 <= self.min_prose <= 1:
            raise ConfigError(f"snippets: min_prose is {self.min_prose}; give a share from 0 to 1.")
        if self.min_line < 1:
            raise ConfigError(f"snippets: min_line is {self.min_line}; a line of prose has at least 1 character.")


@lru_cache(maxsize=1024)  # a line is looked at as the first of a snippet, as its last and as a part of it
def is_prose(line: str, min_line: int) -> bool:
    """Return whether a line is running text: long enough, mostly letters, ended like a sentence, no list item."""
    line = line.strip()
    if not line or line[-1] not in ".!?:;”\"')。！？：；）」』" or _ITEM.match(line):
        return False
    if len(line) < (min_line // 3 if num_han(line) * 2 > len(line) else min_line):
        return False
    return sum(map(str.isalpha, line)) + line.count(" ") >= 0.85 * len(line)


def num_han(text: str) -> int:
    """Return how many characters of a text are Han."""
    return 0 if text.isascii() else len(_HAN.findall(text))


def is_in(text: str, language: str) -> bool:
    """Return whether a text is written as its language is: much Han in Chinese, little in any other.

    Pages of one language hold paragraphs of another that nobody translated.
    """
    letters = sum(map(str.isalpha, text))
    return (num_han(text) >= MIN_HAN * letters) == (language in ("zh", "ja"))


def snippets_of(document: str, text: str, rule: SnippetRule) -> list[Snippet]:
    """Return the snippets of a text that obey `rule`, none overlapping another, in order."""
    found: list[Snippet] = []
    lines = [(m.start(), m.end()) for m in _LINE.finditer(text)]
    first = 0
    while first < len(lines):
        last = first
        while last + 1 < len(lines) and lines[last + 1][1] - lines[first][0] <= rule.characters:
            last += 1
        while last > first and not is_prose(text[slice(*lines[last])], rule.min_line):
            last -= 1
        snippet = _cut(document, text, lines[first][0], lines[last][1], rule)
        good = is_prose(text[slice(*lines[first])], rule.min_line) and _good(snippet.text, rule)
        if good:
            found.append(snippet)
        first = last + 1 if good else first + 1
    return found


def _cut(document: str, text: str, start: int, end: int, rule: SnippetRule) -> Snippet:
    if end - start > rule.characters:
        stops = [m.end() for m in _SENTENCE_END.finditer(text, start, start + rule.characters)]
        end = stops[-1] if stops else start
    return Snippet(document=document, start=start, end=end, text=text[start:end])


def _good(text: str, rule: SnippetRule) -> bool:
    lines = text.split("\n")
    prose = sum(len(line) for line in lines if is_prose(line, rule.min_line))
    return len(text) >= rule.min_characters and prose >= rule.min_prose * sum(map(len, lines))
