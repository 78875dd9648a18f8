"""How a text is split into words, for filters, deduplication and the split.

Chinese, Japanese and Korean are written without spaces between words, or nearly so: each Han, Kana or Hangul
character stands for itself. Splitting on spaces instead would make a Chinese sentence one word, and a quality rule on
words or a near-duplicate search on word 5-grams would be silently off.
"""

import re

CJK = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
"""Ranges of characters that are words by themselves, for a class in a regular expression."""
HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

_WORD = re.compile(rf"[{CJK}]|[^\W{CJK}]+(?:['’-][^\W{CJK}]+)*")
_SPACED = re.compile(rf"[{CJK}][^\w\s]*|[^\s{CJK}]+")
_HAN = re.compile(rf"[{HAN}]")
_LETTER = re.compile(r"[^\W\d_]")


def words(text: str) -> list[str]:
    """Return the words in order: runs of letters and digits, inner apostrophes and hyphens kept; CJK one by one."""
    return _WORD.findall(text)


def spaced_words(text: str) -> list[str]:
    """Return the words as spaces part them, punctuation and all; CJK one by one, with the punctuation that follows."""
    return _SPACED.findall(text)


def han_share(text: str) -> float:
    """Return the share of Han characters among all letters; 0 for a text without letters."""
    letters = len(_LETTER.findall(text))
    return len(_HAN.findall(text)) / letters if letters else 0.0
