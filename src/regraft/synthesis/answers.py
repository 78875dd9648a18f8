"""The final answer of a solution, and whether other solutions of the problem come to the same.

Two checks for mathematics, both pure once answers are compared: against a reference where there is one, and against
what a model finds when it is asked again without seeing the snippet or the solution.

Source: agreement of several solutions as in self-consistency (arXiv:2203.11171 [R]); neither check is in the paper.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from regraft.core import ConfigError
from regraft.corpus.document import Reject

Same = Callable[[str, str], bool | None]
"""Whether two answers are equal, None where that cannot be told: `Equivalence.same` for instance."""

_SAID = re.compile(
    r"(?i)(?:####|\bfinal answer\b[ \t]*(?:is|:)|\banswer\b[ \t]*(?:is|:)|(?:最终)?答案(?:是|为|：|:))"
    r"[ \t*:：]*(?=([^\n]+))"
)
_END = re.compile(r"[.。](?=\s|$|[^\d\s])|[,，;；](?=\s|[^\d])")
_BOXED = "\\boxed{"


def final_answer(solution: str) -> str:
    r"""Return the last answer that a solution states, "" where it states none.

    It stands in `\boxed{...}`, else after `####`, `the answer is`, `Answer:`, `答案是` and the like, up to the end of
    the clause.
    """
    start = solution.rfind(_BOXED)
    if start >= 0 and (inside := _braced(solution, start + len(_BOXED))):
        return inside
    said = _SAID.findall(solution)
    if not said:
        return ""
    return _END.split(said[-1], maxsplit=1)[0].strip().strip("*$ ").strip()


def _braced(text: str, start: int) -> str:
    """Return what stands before the brace that closes the one before `start`; "" where none does."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start:place].strip()
    return ""


def check_reference(solution: str, reference: str, same: Same) -> Reject | None:
    """Return why a solution does not come to the reference answer, None when it does."""
    found = final_answer(solution)
    if not found:
        return Reject("no_final_answer", "the solution states none")
    match same(found, reference):
        case True:
            return None
        case False:
            return Reject("wrong_answer", f"{found}, not {reference}")
        case None:
            return Reject("answer_not_comparable", f"{found} and {reference}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How many of the solutions that a model found again must come to the same answer. Not in the paper."""

    min_agreeing: int = 1
    """Of those that state an answer which can be compared."""

    def __post_init__(self) -> None:
        if self.min_agreeing < 1:
            raise ConfigError(f"agreement.min_agreeing is {self.min_agreeing}; it must be at least 1.")

    def reject(self, solution: str, others: Sequence[str], same: Same) -> Reject | None:
        """Return why a solution is not borne out by others of the same problem, None when enough agree.

        More must agree than differ, too. A solution without an answer is not judged here: it may be a proof.
        """
        found = final_answer(solution)
        if not found:
            return None
        verdicts = [same(found, answer) for answer in map(final_answer, others) if answer]
        agreeing, differing = verdicts.count(True), verdicts.count(False)
        if agreeing >= self.min_agreeing and agreeing > differing:
            return None
        detail = f"{found}: {agreeing} agree, {differing} differ, of {len(others)}"
        return Reject("answer_not_found_again", detail)
