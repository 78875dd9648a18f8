"""Answers that do not belong to their questions, options in another order, results without their reasons.

Source: not in the paper; kinds that issue threads and reviews of synthetic sets name.
"""

import re
from dataclasses import dataclass

from regraft.synthesis.corruption.corruption import Corrupted, Draw, Original, Place

_LABEL = re.compile(r"(?:^|(?<=\s))[(（]?([A-H])[).．、:：）][ \t]*", re.MULTILINE)
_SENTENCE = re.compile(r"(?:\d+[.):][ \t]+)?\S[^\n]*?(?:[.!?](?=\s|$)|[。！？]|(?=\n|$))")
_RESULT = re.compile(r"(?i)\\boxed|####|\banswer\b|\btherefore\b|\bthus\b|\bhence\b|答案|因此|所以|故")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSwap:
    """The solution is that of another document of the same language."""

    @property
    def name(self) -> str:
        return "answer_swap"

    def corrupt(self, original: Original, draw: Draw) -> Corrupted | None:
        if not original.start or not original.donor:
            return None
        text = original.text[: original.start] + original.donor
        detail = f"the solution of {original.donor_id}"
        return Corrupted(text=text, start=original.start, detail=detail, parents=(original.donor_id,))


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionShuffle:
    """The options A, B, C, ... of the problem are turned round under their letters, so that each has another text."""

    @property
    def name(self) -> str:
        return "option_shuffle"

    def corrupt(self, original: Original, draw: Draw) -> Corrupted | None:
        places = options(original.text[: original.start or None])
        texts = [original.text[start:stop] for start, stop in places]
        if not texts:
            return None
        turn = 1 + draw.number("turn") % (len(texts) - 1)
        turned = texts[turn:] + texts[:turn]
        if turned == texts:
            return None
        text = original.text
        for (start, stop), option in reversed(list(zip(places, turned, strict=True))):
            text = text[:start] + option + text[stop:]
        return Corrupted(text=text, start=original.start, detail=f"{len(texts)} options turned by {turn}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedReasoning:
    """Of the solution only the sentence stays that states its result: the last that says so, else the last."""

    @property
    def name(self) -> str:
        return "dropped_reasoning"

    def corrupt(self, original: Original, draw: Draw) -> Corrupted | None:
        sentences = [match[0] for match in _SENTENCE.finditer(original.text, original.start)] if original.start else []
        if len(sentences) < 2:
            return None
        result = next((sentence for sentence in reversed(sentences) if _RESULT.search(sentence)), sentences[-1])
        detail = f"{len(sentences) - 1} of {len(sentences)} sentences dropped"
        return Corrupted(text=original.text[: original.start] + result, start=original.start, detail=detail)


def options(problem: str) -> list[Place]:
    """Return where the texts of the options A, B, C, ... stand; none where there are not two or more in order.

    An option ends before the next label, the last at the end of its line.
    """
    labels: list[re.Match[str]] = []
    for match in _LABEL.finditer(problem):
        if match[1] == chr(ord("A") + len(labels)):
            labels.append(match)
    ends = [match.start() for match in labels[1:]]
    if labels:
        line = problem.find("\n", labels[-1].end())
        ends.append(line if line >= 0 else len(problem))
    places = [(label.end(), _stripped(problem, label.end(), end)) for label, end in zip(labels, ends, strict=True)]
    return places if len(places) > 1 and all(start < stop for start, stop in places) else []


def _stripped(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip())
