"""How a text is split into words: one split, shared by all filters and measures.

Punctuation marks are words of their own and contractions are split ("don't" is "do" and "n't"), as the English
tokenizers do on which the published filters are commonly run: shares of words move with the split, and verdicts with
them. Chinese, Japanese and Korean are written without spaces between words, or nearly so: each Han, Kana or Hangul
character stands for itself. Splitting on spaces instead would make a Chinese sentence one word, and every rule on
words would be silently off.
"""

import re
from collections.abc import Iterable
from functools import cache
from itertools import chain
from unicodedata import category

CJK = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
"""Ranges of characters that are words by themselves, for a class in a regular expression."""
HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

_HAN = re.compile(rf"[{HAN}]")
_CJK = re.compile(rf"[{CJK}]")
_LETTER = re.compile(r"[^\W\d_]")
_SCRIPTS = re.compile(rf"[{CJK}]|[^{CJK}]+")

_ATTACHED = frozenset("-/\\|^~@.")
"""Marks that belong to the word beside them, as in "-x", "/etc" and "@home", but for the cases below."""
_LINK = re.compile(r"(?:\w+://\S+|(?:\S+@)?(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?(?:[/?#]\S*)?)\Z")
_ABBREVIATION = re.compile(
    r"(?:(?:[A-Za-z]\.)*[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|Inc|Ltd|Co|Corp|Gov|Gen|Rep|Rev|Sen|Jan|Feb|Mar|Apr|Jun|Jul"
    r"|Aug|Sep|Sept|Oct|Nov|Dec|Mt|Ph\.D|Bros|Adm)\Z"
)
"""What keeps the full stop after it."""
_LONGEST_ABBREVIATION = 16
_DOTS = re.compile(r"\.+")
_MARKS = frozenset(("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sc", "So"))
"""Unicode categories of marks that are words of their own."""
_SENTENCE_ENDS = frozenset(".?!。？！｡．‼⁇⁈⁉؟۔।॥")
_ENDING = re.compile(r"(?<=\w)(?:n['’]t|['’](?:s|ll|re|ve|d|m)|(?<=\bcan)not)\Z", re.IGNORECASE)
"""What is left of a word that was drawn together with the one before."""
_MOST_ENDINGS = 2
"""As in "they'd've"."""
_UNIT = re.compile(r"(?<=\d)(?:%|[kKmMgGtT]?[bB]|[cdkmn]?m[²³]?|[km]?g|[GMKT]|kmh|mph|hPa|Pa|ha|yd|in|ft|lb|oz|t|\+)\Z")
_WHOLE = frozenset(("and/or", "w/o", "c/o"))
_INSIDE = re.compile(
    r"(\.{2,}|…|(?<=\d)[-+*^](?=[\d-])|(?<=[a-zß-öø-ÿ])\.(?=[A-ZÀ-ÖØ-Þ])|(?<=[^\W\d_]),(?=[^\W\d_])"
    r"|(?<=[^\W_])(?:-{1,3}|[–—~:<>=/])(?=[^\W\d_]))"
)
"""Marks that part the word in which they stand."""


def words(text: str) -> list[str]:
    """Return the words in order, punctuation marks and symbols among them; CJK characters one by one."""
    return list(chain.from_iterable(map(_PIECES.__getitem__, text.split())))


def num_sentences(text: str) -> int:
    """Return how many sentences a text has: what comes after a mark that ends one begins another."""
    sentences, ended = int(bool(text.strip())), False
    for word in words(text):
        if word in _SENTENCE_ENDS:
            ended = True
        elif ended and not all(category(character)[0] == "P" for character in word):
            sentences, ended = sentences + 1, False
    return sentences


def num_cjk(text: str) -> int:
    """Return how many Chinese, Japanese and Korean characters a text has."""
    return 0 if text.isascii() else len(_CJK.findall(text))


def han_share(text: str) -> float:
    """Return the share of Han characters among all letters; 0 for a text without letters."""
    letters = len(_LETTER.findall(text))
    return len(_HAN.findall(text)) / letters if letters else 0.0


class _Pieces(dict[str, tuple[str, ...]]):
    """What lies between two spaces -> its words. Most of a text is made of few such chunks, so they are remembered."""

    LENGTH, CHUNKS = 32, 200_000
    """Longest chunk that is remembered, and how many of them: some 50 MB."""

    def __missing__(self, chunk: str) -> tuple[str, ...]:
        pieces = tuple(_pieces(chunk))
        if len(chunk) <= self.LENGTH:
            if len(self) >= self.CHUNKS:
                self.clear()
            self[chunk] = pieces
        return pieces


_PIECES = _Pieces()


def _pieces(chunk: str) -> Iterable[str]:
    """Return the words of a text without spaces."""
    if chunk.isascii():
        if chunk.isalpha():
            return _parts(chunk)
        if chunk[-1] in ",;:?!)" and chunk[:-1].isalpha():
            return (*_parts(chunk[:-1]), chunk[-1])
    elif len(chunk) > 1 and _CJK.search(chunk):
        return chain.from_iterable(map(_PIECES.__getitem__, _SCRIPTS.findall(chunk)))
    return _unspaced(chunk)


def _unspaced(chunk: str) -> list[str]:
    """Return the marks before the word, the word in its parts, and the marks after it."""
    start, end = 0, len(chunk)
    before: list[str] = []
    after: list[str] = []
    while start < end and (size := _mark_before(chunk, start)):
        before.append(chunk[start : start + size])
        start += size
    while start < end and (size := _mark_after(chunk, start, end)):
        after.append(chunk[end - size : end])
        end -= size
    return [*before, *_parts(chunk[start:end]), *reversed(after)]


def _mark_before(chunk: str, start: int) -> int:
    """Return the length of the mark at the start; 0 where a word begins."""
    if chunk.startswith("..", start):
        return _DOTS.match(chunk, start).end() - start  # pyright: ignore[reportOptionalMemberAccess]
    number = chunk[start] == "+" and chunk[start + 1 : start + 2].isdigit()
    return int(_is_mark(chunk[start]) and not number)


def _mark_after(chunk: str, start: int, end: int) -> int:
    """Return the length of the mark, or of the unit of a number, at the end; 0 where a word ends."""
    last = chunk[end - 1]
    if last == ".":
        dots = 1
        while end - dots > start and chunk[end - dots - 1] == ".":
            dots += 1
        kept = dots == 1 and end - start < _LONGEST_ABBREVIATION and _ABBREVIATION.match(chunk, start, end - 1)
        return 0 if kept else dots
    if last not in "=+%" and _is_mark(last):
        return 1
    unit = _UNIT.search(chunk, max(start, end - 3), end)
    return unit.end() - unit.start() if unit else 0


@cache
def _is_mark(character: str) -> bool:
    return character not in _ATTACHED and (character in "=+<>`´" or category(character) in _MARKS)


def _parts(word: str) -> list[str]:
    """Return a word without marks around it in the parts that marks inside it, or a contraction, make of it."""
    endings: list[str] = []
    while len(endings) < _MOST_ENDINGS and (found := _ENDING.search(word, max(0, len(word) - 3))):
        endings.append(found.group())
        word = word[: found.start()]
    whole = word.isalnum() or word in _WHOLE or _LINK.match(word)
    parts = [word] if whole else [part for part in _INSIDE.split(word) if part]
    return [*parts, *reversed(endings)]
