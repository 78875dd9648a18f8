"""What can be counted in a text: words, repetition, overlap with another text. No model, no thresholds."""

import re
from collections.abc import Iterable
from pathlib import Path

_WORD = re.compile(r"[\u4e00-\u9fff]|[^\W_]+(?:['’.-][^\W_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
STOP_WORDS = frozenset(Path(__file__).with_name("stop_words.txt").read_text("utf-8").split())


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; a Han character is a word."""
    return [word.lower() for word in _WORD.findall(text)]


def repetition(text: str, order: int = 3) -> float:
    """Return the share of word `order`-grams that occurred before in the text; 0 for a text without any."""
    grams = ngrams(words(text), order)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def ngrams(tokens: list[str], order: int) -> list[tuple[str, ...]]:
    """Return every run of `order` neighbours, in order."""
    return [tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1)]


def grounding(answer: str, *grounds: str) -> float:
    """Return the share of the content words and pairs of content words of `answer` that occur in `grounds`.

    A word counts once for each place; pairs are of neighbours after stop words are left out. 0 for no content.
    """
    known: set[tuple[str, ...]] = set()
    for ground in grounds:
        known.update(_content_grams(ground))
    grams = _content_grams(answer)
    return sum(gram in known for gram in grams) / len(grams) if grams else 0.0


def _content_grams(text: str) -> list[tuple[str, ...]]:
    content = [_stem(word) for word in words(text) if word not in STOP_WORDS]
    return ngrams(content, 1) + ngrams(content, 2)


def _stem(word: str) -> str:
    """Cut the commonest English endings, so that `packages` and `package`, `installed` and `installs` meet."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending)
    return word.removesuffix("e") if len(word) > 4 else word


def foreign_numbers(answer: str, *grounds: str) -> list[str]:
    """Return the numbers of `answer` that stand nowhere in `grounds`, numbers of steps at a line's begin left out."""
    without_steps = re.sub(r"(?m)^\s*(?:step\s+)?\d+[.):]\s", " ", answer, flags=re.IGNORECASE)
    known = {number for ground in grounds for number in _NUMBER.findall(ground)}
    return [number for number in _NUMBER.findall(without_steps) if number not in known]


class Seen:
    """Pairs kept so far, to find near-duplicates: exact Jaccard index over word 5-grams.

    An inverted index makes a question cost what it shares with others; meant for up to some 100,000 pairs.
    """

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._where: dict[tuple[str, ...], list[int]] = {}

    def most_similar(self, text: str) -> float:
        """Return the highest Jaccard index of `text` with a text added before; 0 when there is none."""
        shingles = _shingles(text)
        shared: dict[int, int] = {}
        for shingle in shingles:
            for index in self._where.get(shingle, ()):
                shared[index] = shared.get(index, 0) + 1
        indices = (n / (len(shingles) + self._sizes[index] - n) for index, n in shared.items())
        return max(indices, default=0.0)

    def add(self, text: str) -> None:
        shingles = _shingles(text)
        for shingle in shingles:
            self._where.setdefault(shingle, []).append(len(self._sizes))
        self._sizes.append(len(shingles))


def _shingles(text: str) -> set[tuple[str, ...]]:
    tokens = words(text)
    return set(ngrams(tokens, 5)) or {tuple(tokens)}


def distinct(texts: Iterable[str], order: int) -> float:
    """Return distinct-n: different word n-grams over all word n-grams of the texts; 0 without any."""
    grams = [gram for text in texts for gram in ngrams(words(text), order)]
    return len(set(grams)) / len(grams) if grams else 0.0
