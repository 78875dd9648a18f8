"""The true Jaccard similarity of two texts, written apart from what it judges: plain Python sets of word 5-grams."""

import re

CJK = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
WORD = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
"""A run of letters and digits, parted by all punctuation as in FineWeb; a CJK character is a word."""
GRAM = 5


def grams(text: str) -> frozenset[tuple[str, ...]]:
    """Return the word 5-grams of a text in lower case; all its words as one when they are fewer."""
    words = WORD.findall(text.lower())
    return frozenset(tuple(words[i : i + GRAM]) for i in range(max(len(words) - GRAM + 1, 1)))


def jaccard(left: frozenset[tuple[str, ...]], right: frozenset[tuple[str, ...]]) -> float:
    """Return the share of 5-grams that both texts have among those that either has."""
    return len(left & right) / len(left | right)


def chance_to_meet(similarity: float, bands: int = 14, rows: int = 8) -> float:
    """Return the probability that a pair shares a band: the theoretical recall of MinHash."""
    return 1 - (1 - similarity**rows) ** bands
