"""Numbers, words and symbols replaced by others of their kind: the text reads on, and is wrong.

Source: Llama-3-SynE's experiments on quality mix these three (arXiv:2407.18743, [R]); how each is done, and how many
places of a document are replaced, is not in the paper.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from regraft.synthesis.corruption.corruption import (
    Corrupted,
    Draw,
    Original,
    Place,
    check_share,
    substituted,
)
from regraft.synthesis.measures import STOP_WORDS

Part = Literal["pair", "solution"]
"""Where to do damage; a solution that cannot be told from its problem is not damaged."""

_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*")
_STEP = re.compile(r"(?im)^[ \t]*(?:step[ \t]+)?([0-9]+)[.):]\s")
_WORD = re.compile(r"[\u4e00-\u9fff]|(?<![\w\\])[^\W\d_\u4e00-\u9fff]{3,}")
_SYMBOLS = (
    ("+", "-", "*", "/", "^"),
    ("=", "<", ">"),
    ("−", "×", "·", "÷", "±"),
    ("≠", "≤", "≥", "≈"),
    ("∑", "∏", "∫"),
    ("%", "‰"),
    (r"\times", r"\cdot", r"\div", r"\pm"),
    (r"\leq", r"\geq", r"\neq", r"\approx"),
    (r"\le", r"\ge", r"\ne"),
    (r"\sum", r"\prod", r"\int"),
    (r"\sin", r"\cos", r"\tan"),
)
_CLASS_OF = {symbol: symbols for symbols in _SYMBOLS for symbol in symbols}
_SYMBOL = re.compile(
    r"\\(?:" + "|".join(symbol[1:] for symbol in _CLASS_OF if len(symbol) > 1) + r")(?![A-Za-z])"
    r"|[−×·÷±≠≤≥≈∑∏∫]|(?<=\d)[%‰]"
    r"|(?<=[\w)\]}] )[-+*/^=<>](?= [\w(\[{\\-])"  # with spaces around it
    r"|(?<=[\d)\]}])[-+*/^=<>](?=[\w(\[{\\])|(?<=\w)[+^=<>](?=[\w(\[{\\])"
)
"""Not a hyphen, a slash or a star between letters, nor the mark of a list item or a quotation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberSubstitution:
    """Each chosen number becomes another with as many digits and the same marks; numbers of steps stay."""

    share: float = 1.0
    part: Part = "pair"

    def __post_init__(self) -> None:
        check_share(self.name, self.share)

    @property
    def name(self) -> str:
        return "number_substitution"

    def corrupt(self, original: Original, draw: Draw) -> Corrupted | None:
        steps = {match.span(1) for match in _STEP.finditer(original.text)}
        places = [place for place in _places(_NUMBER, original, self.part) if place not in steps]
        return substituted(original, places, self.share, draw, _other_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequentWordSubstitution:
    """The content words that a text uses most change places with each other; a Han character is a word."""

    share: float = 0.5
    min_count: int = 2
    """How often a text has a word that is frequent in it."""
    part: Part = "pair"

    def __post_init__(self) -> None:
        check_share(self.name, self.share)

    @property
    def name(self) -> str:
        return "frequent_word_substitution"

    def corrupt(self, original: Original, draw: Draw) -> Corrupted | None:
        counts = Counter(word.lower() for word in _WORD.findall(original.text))
        frequent = sorted(w for w, count in counts.items() if count >= self.min_count and w not in STOP_WORDS)
        if len(frequent) < 2:
            return None

        place_of = {word: place for place, word in enumerate(frequent)}

        def other(word: str, chance: int) -> str:
            chosen = chance % (len(frequent) - 1)
            return _in_case_of(word, frequent[chosen + (chosen >= place_of[word.lower()])])

        places = [
            (start, stop)
            for start, stop in _places(_WORD, original, self.part)
            if original.text[start:stop].lower() in place_of
        ]
        return substituted(original, places, self.share, draw, other)


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolSubstitution:
    """Operators and relations become others of their sort: + to -, = to <, ≤ to ≈, LaTeX commands too."""

    share: float = 1.0
    part: Part = "pair"

    def __post_init__(self) -> None:
        check_share(self.name, self.share)

    @property
    def name(self) -> str:
        return "symbol_substitution"

    def corrupt(self, original: Original, draw: Draw) -> Corrupted | None:
        return substituted(original, _places(_SYMBOL, original, self.part), self.share, draw, _other_symbol)


def _places(pattern: "re.Pattern[str]", original: Original, part: Part) -> list[Place]:
    if part == "solution" and not original.start:
        return []
    found = [match.span() for match in pattern.finditer(original.text)]
    return [place for place in found if part == "pair" or place[0] >= original.start]


def _other_number(number: str, chance: int) -> str:
    """Return a number that differs in its first digit, without a leading zero that was not there."""
    first = [d for d in ("0123456789" if len(number) == 1 else "123456789") if d != number[0]]
    made = [first[chance % len(first)]]
    for character in number[1:]:
        chance //= 10
        made.append(str((int(character) + chance) % 10) if character.isdigit() else character)
    return "".join(made)


def _other_symbol(symbol: str, chance: int) -> str:
    others = [other for other in _CLASS_OF[symbol] if other != symbol]
    return others[chance % len(others)]


def _in_case_of(word: str, other: str) -> str:
    if word.isupper() and len(word) > 1:
        return other.upper()
    return other[0].upper() + other[1:] if word[0].isupper() else other
