"""What of a text is new, and what of it is mathematics."""

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from unicodedata import category


def compression_ratio(text: str, level: int) -> float:
    """Return the compressed bytes over the bytes of a text, by zlib; NaN for an empty text.

    Low where a text repeats itself. Short texts are hardly compressed, and a script of several bytes a character is
    compressed more: compare texts of one language. Another build of zlib may differ by some bytes.
    """
    given = text.encode()
    return len(zlib.compress(given, level)) / len(given) if given else math.nan


def lexical_diversity(words: Sequence[str], threshold: float) -> float:
    """Return the MTLD: how many words it takes on average until their type-token ratio is below the threshold.

    The mean of a pass forward and one backward; NaN where no word occurs twice, since the ratio then never falls.

    Source: McCarthy and Jarvis 2010, doi:10.3758/BRM.42.2.381; the measure of arXiv:2506.11300.
    """
    forward, backward = _factors(words, threshold), _factors(reversed(words), threshold)
    if not (forward and backward):
        return math.nan
    return len(words) * (1 / forward + 1 / backward) / 2


def _factors(words: Iterable[str], threshold: float) -> float:
    """Return how often the type-token ratio falls below the threshold, counted anew each time; the rest in part."""
    factors, count, ratio = 0.0, 0, 1.0
    types: set[str] = set()
    for word in words:
        types.add(word)
        count += 1
        ratio = len(types) / count
        if ratio < threshold:
            factors, count, ratio = factors + 1, 0, 1.0
            types.clear()
    return factors + (1 - ratio) / (1 - threshold)


def math_density(text: str) -> float:
    """Return the share of digits and mathematical signs among the characters that are no space; NaN without any.

    Digits are all that Unicode calls a number, signs what it calls mathematical: "+", "=", "<", "∑", "≤", but not
    "-", "*" and "/", which prose has too. Of a formula in TeX, its commands do not count.
    """
    counts = Counter(text)
    shown = {character: n for character, n in counts.items() if not character.isspace()}
    found = sum(n for character, n in shown.items() if category(character) in ("Nd", "Nl", "No", "Sm"))
    return found / sum(shown.values()) if shown else math.nan
