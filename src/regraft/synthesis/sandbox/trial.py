"""A solution tried on its tests: run apart from the machine, watched, judged."""

import re
from dataclasses import dataclass

from regraft.synthesis.sandbox.isolation import Isolation, Limits
from regraft.synthesis.sandbox.program import Program
from regraft.synthesis.sandbox.verdict import Verdict, judge
from regraft.synthesis.sandbox.watch import watch

_TAIL = 2000
_ADDRESS = re.compile(r"\b0x[0-9a-f]{4,}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of a solution and its tests; nothing in it was measured by a clock."""

    verdict: Verdict
    reason: str
    """Which exception or which limit, and where; empty when all went well."""
    tail: str
    """The last characters that the program wrote, where they are kept; addresses in memory, which are never the same,
    are left out."""


def try_out(program: Program, isolation: Isolation, limits: Limits) -> Trial:
    """Run a solution and then its tests; no process of either is left after the call.

    A program cannot say `passed` by what it prints, by ending early or by writing to the descriptor of the verdict. But
    it runs in the same interpreter as its tests: one that looks for the means to deceive in there will find them. That
    harms nothing but its own verdict.

    Raises:
        RegraftError: the isolation itself failed, so that nothing was run.
    """
    with program.started(isolation, limits) as process:
        watched = watch(process, limits)
    verdict, reason = watched.stopped or judge(watched.report, isolation, limits)
    tail = watched.output[: limits.output_bytes].decode("utf-8", "replace")[-_TAIL:]
    return Trial(verdict=verdict, reason=_ADDRESS.sub("0x…", reason), tail=_ADDRESS.sub("0x…", tail))
