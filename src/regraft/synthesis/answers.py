"""The final answer that a solution states."""

import re
from collections.abc import Callable

Same = Callable[[str, str], bool | None]
"""Whether two answers are equal, None where that cannot be told: `Equivalence.same` for instance."""

_SAID = re.compile(
    r"(?i)(?:####|\bfinal answer\b[ \t]*(?:is|:)|\banswer\b[ \t]*(?:is|:)|(?:最终)?答案(?:是|为|：|:))"
    r"[ \t*:：]*+(?=([^\n]{1,300}))"
)
_END = re.compile(r"[.。](?=\s|$|[^\d\s])|[,，;；]\s*(?=(?!(?:and|or)\b[^,.]*=)[A-Za-z]{2,}|[\u4e00-\u9fff])")
_OPEN, _CLOSED = "([{", ")]}"
_BOXED = "\\boxed{"


def final_answer(solution: str) -> str:
    r"""Return the last answer that a solution states, "" where it states none.

    It stands in `\boxed{...}`, else after `####`, `the answer is`, `Answer:`, `答案是` and the like, up to the end of
    the clause; what stands in brackets, or after a comma without words, belongs to it: `(1, 2)`, `x = 1, y = 2`.
    """
    start = solution.rfind(_BOXED)
    if start >= 0 and (inside := _braced(solution, start + len(_BOXED))):
        return inside
    said = _SAID.findall(solution)
    if not said:
        return ""
    ends = (found.start() for found in _END.finditer(said[-1]) if _outside(said[-1][: found.start()]))
    return said[-1][: next(ends, None)].strip().strip("*$ ").strip()


def _outside(text: str) -> bool:
    """Return whether every bracket of a text is closed again."""
    return sum(map(text.count, _OPEN)) <= sum(map(text.count, _CLOSED))


def _braced(text: str, start: int) -> str:
    """Return what stands before the brace that closes the one before `start`; "" where none does."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start:place].strip()
    return ""
