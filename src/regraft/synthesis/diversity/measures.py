"""The measures of one group of texts, and what is counted in it."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from regraft.mixture.measures.lexical import compression_ratio
from regraft.synthesis.diversity.self_bleu import self_bleu
from regraft.synthesis.measures import Seen, ngrams, words
from regraft.synthesis.pairs import Pair

OPENING = 3
"""Words of a problem by which openings are counted; a Han character is a word."""
OPENINGS = 20
"""Most frequent ones that are listed."""
LEVEL = 9
"""Of zlib."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """A document of the sample."""

    text: str
    pair: Pair | None


def measures(sample: Sequence[Sampled], similarity: float) -> dict[str, float]:
    """Return what is measured of a sample, by name.

    `distinct_n`: different word n-grams over all, no n-gram across two texts (arXiv:1510.03055 [R]).
    `self_bleu`: see there. `compression_ratio`: compressed bytes over bytes of all texts joined, by zlib, which sees
    what repeats within 32 kB (as a measure of variety arXiv:2403.00553 [R], there the inverse).
    `near_duplicates`: share of texts whose word 5-grams have a Jaccard index of at least `similarity` with those of an
    earlier text. `with_solution`: share whose problem can be told from its solution.

    All but the last depend on how many texts there are and how long they are: compare samples of one size.
    """
    tokens = [words(item.text) for item in sample]
    return {
        **{f"distinct_{order}": _distinct(tokens, order) for order in (1, 2, 3)},
        "self_bleu": self_bleu(tokens),
        "compression_ratio": compression_ratio("\n".join(item.text for item in sample), LEVEL),
        "near_duplicates": near_duplicates([item.text for item in sample], similarity),
        "with_solution": sum(item.pair is not None for item in sample) / len(sample),
    }


def entropy(counts: Mapping[str, int]) -> float:
    """Return the entropy of a distribution in bits: log2 of how many equal parts it is worth; NaN for nothing."""
    total = sum(counts.values())
    shares = [count / total for count in counts.values() if count]
    return -sum(share * math.log2(share) for share in shares) + 0.0 if shares else math.nan


def near_duplicates(texts: Sequence[str], similarity: float) -> float:
    """Return the share of texts that are at least so similar to an earlier one."""
    seen, found = Seen(), 0
    for text in texts:
        found += seen.most_similar(text) >= similarity
        seen.add(text)
    return found / len(texts)


def openings(sample: Sequence[Sampled]) -> list[tuple[str, int]]:
    """Return the most frequent first words of problems, each with how many begin so."""
    counts = Counter(opening(item.pair.problem if item.pair else item.text) for item in sample)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:OPENINGS]


def opening(problem: str) -> str:
    """Return the first words of a problem in lower case, Han characters without spaces."""
    first = words(problem)[:OPENING]
    return ("" if all("\u4e00" <= word <= "\u9fff" for word in first) else " ").join(first)


def lengths(sample: Sequence[Sampled]) -> Iterator[tuple[str, str, int]]:
    """Yield part, band of words and how many documents are in it, bands in order; bands double in width."""
    parts = {
        "problem_words": [item.pair.problem for item in sample if item.pair],
        "solution_words": [item.pair.solution for item in sample if item.pair],
        "text_words": [item.text for item in sample if not item.pair],
    }
    for part, texts in parts.items():
        bands = Counter(len(words(text)).bit_length() for text in texts)
        for band in range(min(bands, default=0), max(bands, default=-1) + 1):
            yield part, _band(band), bands[band]


def _band(bits: int) -> str:
    return f"{2 ** (bits - 1)} to {2**bits - 1}" if bits > 1 else str(bits)


def _distinct(tokens: Sequence[list[str]], order: int) -> float:
    grams = [gram for text in tokens for gram in ngrams(text, order)]
    return len(set(grams)) / len(grams) if grams else 0.0
