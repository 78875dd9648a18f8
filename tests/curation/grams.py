"""Word 5-grams the slow and obvious way, to judge what is computed on whole batches."""

import re


def grams(text: str) -> frozenset[str]:
    """Return the word 5-grams of a text: lower case, no punctuation, CJK characters one by one."""
    words = re.findall(
        r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|(?:(?![\u3040-\u30ff\u3400-\u9fff])(?:[^\W_]|[\u0300-\u036f]))+",
        text.lower(),
    )
    return frozenset(" ".join(words[n : n + 5]) for n in range(max(len(words) - 4, 1)))


def similarity(left: str, right: str) -> float:
    """Return the true Jaccard similarity of two texts."""
    one, two = grams(left), grams(right)
    return len(one & two) / len(one | two)
