"""Self-BLEU: how much each text is like the others, in time that grows with the words and not with the pairs."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from regraft.synthesis.measures import ngrams

MAX_ORDER = 4
Gram = tuple[str, ...]


def self_bleu(texts: Sequence[Sequence[str]]) -> float:
    """Return the mean BLEU of each text (words in order) with all others as its references, 0 to 1; NaN below two.

    High where the texts say the same in the same words. BLEU is that of single sentences as sacrebleu has it: n-grams
    up to 4 with equal weights, counts clipped at the most of any reference, closest reference length, exponential
    smoothing, effective order.

    Source: Texygen (arXiv:1802.01886) [R].
    """
    if len(texts) < 2:
        return math.nan
    orders = range(1, MAX_ORDER + 1)
    counts = {order: [Counter(ngrams(list(text), order)) for text in texts] for order in orders}
    most = {order: _MostOfOthers(counts[order]) for order in orders}
    lengths = sorted(map(len, texts))
    scores: list[float] = []
    for n, text in enumerate(texts):
        matched = [most[order].matched(n, counts[order][n]) for order in orders]
        total = [max(len(text) - order + 1, 0) for order in orders]
        scores.append(_brevity(len(text), lengths) * _precision(matched, total))
    return sum(scores) / len(scores)


class _MostOfOthers:
    """The most that any other text has of an n-gram: of each the highest count, whose it is, and the second highest."""

    def __init__(self, counts: Sequence[Counter[Gram]]) -> None:
        self._best: dict[Gram, tuple[int, int, int]] = {}
        for n, grams in enumerate(counts):
            for gram, count in grams.items():
                first, owner, second = self._best.get(gram, (0, -1, 0))
                self._best[gram] = (count, n, first) if count > first else (first, owner, max(second, count))

    def matched(self, n: int, grams: Counter[Gram]) -> int:
        """Return how many n-grams of text `n` are in a reference, each as often as there at most."""
        total = 0
        for gram, count in grams.items():
            first, owner, second = self._best[gram]
            total += min(count, second if owner == n else first)
        return total


def _precision(matched: Sequence[int], total: Sequence[int]) -> float:
    """Return the geometric mean of the precisions of the orders that the text is long enough for."""
    if not any(matched):
        return 0.0
    logs: list[float] = []
    smooth = 1.0
    for found, of in zip(matched, total, strict=True):
        if not of:
            break
        smooth *= 1 if found else 2
        logs.append(math.log(found / of if found else 1 / (smooth * of)))
    return math.exp(sum(logs) / len(logs))


def _brevity(length: int, lengths: Sequence[int]) -> float:
    """Return the penalty of a text that is shorter than the text next to it in length, itself left out."""
    at = bisect_left(lengths, length)
    others = [*lengths[max(at - 1, 0) : at], *lengths[at + 1 : at + 2]]
    closest = min(others, key=lambda other: (abs(other - length), other))
    return math.exp(1 - closest / length) if 0 < length < closest else 1.0
