"""How hard a text is to read, from its words, sentences and syllables."""

import math
import re
from collections.abc import Sequence
from functools import lru_cache

_VOWELS = re.compile(r"[aeiouy]+")
_SILENT = re.compile(r"(?<=[^aeiouy])(?:e|es|ed)\Z")
"""Endings that are not spoken, as in "make", "makes" and "asked"."""
_SPOKEN = re.compile(r"(?:[^aeiouy]le|[^aeiouy]les|[td]ed|(?:[sxzcg]|sh|ch)es)\Z")
"""Endings that look like those and are, as in "table", "wanted" and "boxes"."""
_RUN = re.compile(r"[a-z]+")


def sentence_length(words: Sequence[str], sentences: int) -> float:
    """Return the mean number of words a sentence, NaN where there are none.

    What stands for readability where there is no formula: in Chinese, characters a sentence. A sentence ends with a
    mark, not with a line: a list or a program without full stops is one long sentence.
    """
    return len(words) / sentences if words and sentences else math.nan


def reading_ease(text: str, sentences: int) -> float:
    """Return the Flesch reading ease of an English text: about 100 is easy, 0 hard; NaN for a text without words.

    What stands between spaces is a word, if there is a letter or a digit in it.

    Source: Flesch 1948, doi:10.1037/h0057532: 206.835 - 1.015 words a sentence - 84.6 syllables a word.
    """
    words = [word for word in text.split() if any(map(str.isalnum, word))]
    if not words or not sentences:
        return math.nan
    syllables = sum(map(num_syllables, words))
    return 206.835 - 1.015 * len(words) / sentences - 84.6 * syllables / len(words)


@lru_cache(100_000)
def num_syllables(word: str) -> int:
    """Return about how many syllables an English word has, by its spelling; 1 for a number.

    A group of vowels is one syllable, a silent ending none; each part of a hyphenated word has at least one.
    """
    runs = _RUN.findall(word.lower().replace("'", "").replace("’", ""))
    return sum(map(_spoken, runs)) or 1


def _spoken(run: str) -> int:
    groups = len(_VOWELS.findall(run))
    silent = _SILENT.search(run) and not _SPOKEN.search(run)
    return max(1, groups - bool(silent))
