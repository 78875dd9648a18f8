"""What can be counted in a text: words, repetition, overlap with another text. No model, no thresholds."""

import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

_HAN = r"\u4e00-\u9fff"
_WORD = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+(?:['’.-][^\W_{_HAN}]+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
STOP_WORDS = frozenset(Path(__file__).with_name("stop_words.txt").read_text("utf-8").split())


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; a Han character is a word."""
    return _WORD.findall(text.lower())


def repetition(text: str, order: int = 3) -> float:
    """Return the share of word `order`-grams that occurred before in the text; 0 for a text without any."""
    grams = ngrams(words(text), order)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def ngrams(tokens: list[str], order: int) -> list[tuple[str, ...]]:
    """Return every run of `order` neighbours, in order."""
    return list(zip(*(tokens[i:] for i in range(order)), strict=False))


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


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    """Cut the commonest English endings, so that `packages` and `package`, `installed` and `installs` meet."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending)
    return word.removesuffix("e") if len(word) > 4 else word


def foreign_numbers(answer: str, *grounds: str) -> list[str]:
    """Return the numbers of `answer` that stand nowhere in `grounds`, numbers of steps at a line's begin left out.

    1,000 is 1000. What comes of two numbers in the same sentence that are known is known from there on: `60 times 2,
    which is 120`.
    """
    known = {_plain(number) for ground in grounds for number in _NUMBER.findall(ground)}
    foreign: list[str] = []
    for sentence in _SENTENCES.split(_STEP.sub(" ", answer)):
        numbers = _NUMBER.findall(sentence)
        for number in numbers:
            operands = {plain for other in numbers[:MAX_OPERANDS] if (plain := _plain(other)) in known}
            if _plain(number) in known or _results_from(_plain(number), operands):
                known.add(_plain(number))
            else:
                foreign.append(number)
    return foreign


MAX_OPERANDS = 20
"""Numbers of a sentence that a result is looked for among."""
_SENTENCES = re.compile(r"(?<=[.!?])\s|[。！？\n]")


def _results_from(number: str, operands: Iterable[str]) -> bool:
    """Return whether a number is, rounded as it is, the sum, difference, product or quotient of two others."""
    try:
        wanted, values = float(number), [float(operand) for operand in operands]
    except ValueError:  # 1.2.3
        return False
    decimals = len(number.partition(".")[2])
    return any(round(found, decimals) == wanted for a in values for b in values for found in _combined(a, b))


def _combined(a: float, b: float) -> Iterator[float]:
    yield from (a + b, a - b, a * b)
    if b:
        yield a / b


_STEP = re.compile(r"(?im)^[ \t]*+(?:step[ \t]++)?\d++[.):]\s")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def _plain(number: str) -> str:
    return _THOUSANDS.sub("", number)


_SOURCE = r"(?:text|passage|snippet|excerpt|paragraph)"
_NAMES = re.compile(f"(?i){_SOURCE}|[文段材摘]")  # what no reference lacks: searched ten times as fast
_REFERENCE = re.compile(
    rf"""(?xi)
    \b(?:according\ to|based\ on|as\ (?:stated|described|mentioned)\ in)\ the\ (?:[\w-]+\ ){{0,3}}{_SOURCE}\b
    | (?<!\ba\ )(?<!\bany\ )(?<!\beach\ )
        \b(?:given|provided|above|following|original|source)\ (?:[\w-]+\ ){{0,2}}{_SOURCE}\b
    | \bthe\ (?:[\w-]+\ ){{0,3}}{_SOURCE}\ (?:above|below|provided|given|you|says|states|mentions|describes|discusses
        |covers|explains|provides|does\ not|suggests|emphasi[sz]es|highlights|introduces|lists)\b
    | \b(?:this|the)\ (?:passage|snippet|excerpt)\b
    | (?:上述|上面的?|以上|该段|这段|这篇|原|给定的?|所给的?|提供的)(?:文字|文本|文段|段落|文章|材料|摘录)
    | 原文|文中(?:提到|指出|说明|所述|介绍|描述)|(?:根据|依据|按照)(?:文字|文本|文章|文段|摘录)
    """
)


def reference_to_source(text: str) -> str:
    """Return the first words by which a text points at a text that its reader does not have; empty for none."""
    found = _REFERENCE.search(" ".join(text.split())) if _NAMES.search(text) else None
    return found[0] if found else ""


_VERBS_EN = (
    "explain|describe|discuss|compare|calculate|compute|find|determine|estimate|evaluate|prove|show|derive|solve|list"
    "|name|state|define|give|write|identify|design|implement|sketch|simplify|justify|verify|suggest|propose"
    "|analy[sz]e|summari[sz]e|outline"
)
_VERBS_ZH = (
    "求|计算(?!机)|证明|解释|说明|描述|[简阐论]述|列[举出]|比较|分析|推导|判断|确定|估[计算]|[写给指画得]出|讨论"
    "|设计|试"
)
_ASKS = re.compile(
    rf"""(?xi)
    [?？]
    | (?:\A|[.!:;]\s)\W{{0,8}}+(?:\d++[.)]\s)?(?:what|why|how|which|who|when|where|whether)\b
    | (?:\A|[.!:;,]\s|\n|\b(?:please|to|and|then|you)\s)\W{{0,8}}+(?:\d++[.)]\s)?(?:{_VERBS_EN})\b
    | 什么|为何|如何|怎[么样]|哪|多少|第几|几[个种次年天位条倍]|是否|吗
    | (?:\A|[，。；：、！\s,;:]|请|并|试|能否)(?:{_VERBS_ZH})
    """
)


def asks(problem: str) -> bool:
    """Return whether a problem asks or demands anything; a heading or a plain statement does not."""
    return _ASKS.search(problem) is not None


class Seen:
    """Texts so far, to find near-duplicates: Jaccard index over word 5-grams.

    Of each text the `SKETCH` smallest hashes of its 5-grams are kept, some 2 KB. Up to so many 5-grams in both texts
    together the index is exact; beyond, it is estimated, with a standard error of at most 0.045.
    """

    SKETCH = 128
    PROBES = 12
    """Texts are compared that share one of so many smallest hashes: at an index of 0.6 one in 60,000 is missed."""

    def __init__(self) -> None:
        self._sketches: list[array[int]] = []
        self._where: dict[int, list[int]] = {}

    def most_similar(self, text: str, among: Sequence[int] = ()) -> float:
        """Return the highest Jaccard index of `text` with a text added before; 0 when there is none.

        `among` names the texts to compare with by what `add` returned; empty means all.
        """
        sketch = _sketch(text, self.SKETCH)
        near = among or {index for one in sketch[: self.PROBES] for index in self._where.get(one, ())}
        return max((self._jaccard(sketch, self._sketches[index]) for index in near), default=0.0)

    def add(self, text: str) -> int:
        """Remember a text; return its number, from 0."""
        number = len(self._sketches)
        self._sketches.append(_sketch(text, self.SKETCH))
        for one in self._sketches[number][: self.PROBES]:
            self._where.setdefault(one, []).append(number)
        return number

    def _jaccard(self, a: "array[int]", b: "array[int]") -> float:
        both = set(a) & set(b)
        smallest = sorted(set(a) | set(b))[: self.SKETCH]
        return sum(one in both for one in smallest) / len(smallest)


@lru_cache(maxsize=1)  # a text is compared, then added
def _sketch(text: str, size: int) -> "array[int]":
    hashes = {hashlib.blake2b(gram, digest_size=8).digest() for gram in _shingles(text)}
    return array("Q", map(int.from_bytes, sorted(hashes)[:size]))


def _shingles(text: str) -> Iterator[bytes]:
    tokens = words(text)
    return (" ".join(tokens[i : i + 5]).encode() for i in range(max(len(tokens) - 4, 1)))


def distinct(texts: Iterable[str], order: int) -> float:
    """Return distinct-n: different word n-grams over all word n-grams of the texts; 0 without any."""
    grams = [gram for text in texts for gram in ngrams(words(text), order)]
    return len(set(grams)) / len(grams) if grams else 0.0
