"""Texts as rows of 64-bit numbers: a hash for each word and for each run of `n` words, with its place in the text.

A word is a run of letters, marks and digits, and a CJK character is a word by itself; all else parts words and is not
looked at. The split of `words.py` is finer, since filters judge punctuation: here two texts that differ in it are one.
No word is ever made: the text becomes an array of code points, and the split, the hash of every word and the hash of
every run are a few passes of numpy over it.

`C` characters, `W` words or tokens. Hashes are the same in every process and on every machine. Two different runs share
one with a probability of about 2^-60: a corpus of 10^11 words against an index of 10^6 runs is expected to meet 0.1
false ones, so what is found by hash is not compared letter by letter.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from regraft.corpus.words import CJK

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
Classes = npt.NDArray[np.uint8]

PIECE = 2**16
"""Characters that are worked on at once: arrays that stay in the cache, and a bound on memory for a huge text. A word
of so many is cut."""

_BASE = np.uint64(0x9E3779B97F4A7C13)
"""Of the polynomials. It is 3 modulo 8, so its powers differ in all but the last few bits, and the hash of a run
changes with the order of its words."""
_UTF32 = f"utf-32-{sys.byteorder[0]}e"
_GAP, _CJK, _LETTER = range(3)


@dataclass(frozen=True, slots=True)
class Units:
    """The words or tokens of a text, in order, and where each stands in it."""

    hashes: Hashes  # [W]
    starts: Places  # [W], characters
    stops: Places  # [W]


def hashed_words(text: str, *, digits_alike: bool = False) -> Units:
    """Return the words of a text, hashed without regard to case, nor to which digit a digit is if they are alike.

    Case is folded character by character, so that places hold: "ß" stays itself and is not "ss".
    """
    points = np.frombuffer(text.encode(_UTF32), np.uint32)  # [C]
    pieces = list(_pieces(points, *_characters(digits_alike)))
    return pieces[0] if len(pieces) == 1 else _joined(pieces)


def hashed_tokens(ids: Sequence[int], spans: Sequence[tuple[int, int]]) -> Units:
    """Return tokens as units; `spans` are their places, in characters."""
    places = np.array(spans, np.int64).reshape(-1, 2)
    return Units(mixed(np.array(ids, np.uint64)), places[:, 0], places[:, 1])


def grams(hashes: Hashes, size: int) -> Hashes:
    """Return the hash of each run of `size` units, at the place of its first: [W - size + 1], or none."""
    count = max(len(hashes) - size + 1, 0)
    sums = np.full(count, size, np.uint64)  # runs of different sizes never meet
    for k in range(size if count else 0):
        sums *= _BASE
        sums += hashes[k : k + count]
    return mixed(sums)


def text_offsets(texts: Iterable[str]) -> Places:
    """Return where each text begins when they are joined by one character, and where one more would: [N + 1]."""
    return np.cumsum([0, *(len(text) + 1 for text in texts)])


def mixed(values: Hashes) -> Hashes:
    """Return each number with its bits spread, one to one. Source: the finalizer of SplitMix64, public domain."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _pieces(points: npt.NDArray[np.uint32], classes: Classes, values: Hashes) -> Iterator[Units]:
    """Yield the words of a text in pieces that end where a word ends."""
    start = 0
    while True:
        found = classes[points[start : start + PIECE + 1]]
        if len(found) > PIECE:
            outside = np.flatnonzero(found[1:] != _LETTER)
            found = found[: outside[-1] + 1 if len(outside) else PIECE]
        stop = start + len(found)
        yield _words(found, values[points[start:stop]], start)
        if stop == len(points):
            return
        start = stop


def _words(classes: Classes, values: Hashes, offset: int) -> Units:
    inside = classes == _LETTER
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    starts, stops = edges[::2], edges[1::2]
    cjk = np.flatnonzero(classes == _CJK)
    if len(cjk):
        starts, stops = np.concatenate((starts, cjk)), np.concatenate((stops, cjk + 1))
        order = np.argsort(starts, kind="stable")
        starts, stops = starts[order], stops[order]
    powers, inverses = _powers()
    sums = np.zeros(len(values) + 1, np.uint64)
    np.cumsum(values * powers[: len(values)], out=sums[1:])
    hashes = (sums[stops] - sums[starts]) * inverses[starts]  # the polynomial of each word alone
    return Units(mixed(hashes), starts + offset, stops + offset)


def _joined(pieces: Sequence[Units]) -> Units:
    return Units(
        np.concatenate([piece.hashes for piece in pieces]),
        np.concatenate([piece.starts for piece in pieces]),
        np.concatenate([piece.stops for piece in pieces]),
    )


@cache
def _powers() -> tuple[Hashes, Hashes]:
    """Return the powers of the base and their inverses modulo 2^64."""
    inverse = np.uint64(pow(int(_BASE), -1, 2**64))
    exponents = np.arange(PIECE + 1)
    return tuple(np.cumprod(np.where(exponents == 0, np.uint64(1), base)) for base in (_BASE, inverse))  # pyright: ignore[reportReturnType]


@cache
def _characters(digits_alike: bool) -> tuple[Classes, Hashes]:
    """Return the class and the hash of every character there is; a letter has that of its small form."""
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    classes = np.full(len(everything), _GAP, np.uint8)
    marks = [point for point, character in enumerate(everything) if unicodedata.category(character)[0] == "M"]
    classes[[match.start() for match in re.finditer(r"[^\W_]", everything)] + marks] = _LETTER
    classes[[match.start() for match in re.finditer(f"[{CJK}]", everything)]] = _CJK
    folded = ((character, character.casefold()) for character in everything)
    points = np.fromiter((ord(small if len(small) == 1 else big) for big, small in folded), np.uint64)
    if digits_alike:
        points[[match.start() for match in re.finditer(r"\d", everything)]] = ord("0")
    return classes, mixed(points)
