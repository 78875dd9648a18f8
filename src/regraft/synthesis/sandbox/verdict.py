"""How a program ended, by what its supervisor reports."""

import json
import signal
from enum import StrEnum

from regraft.core import RegraftError
from regraft.synthesis.sandbox.isolation import Isolation, Limits


class Verdict(StrEnum):
    """How a program ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT = "output"
    CRASHED = "crashed"


def judge(report: bytes, isolation: Isolation, limits: Limits) -> tuple[Verdict, str]:
    """Return how a program ended that was not stopped from outside, and why.

    Raises:
        RegraftError: the isolation failed before the program began.
    """
    if not report.startswith(b"\n"):
        said = report.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise RegraftError(f"The isolation {isolation.name} failed and nothing was run: {said or 'it says nothing'}")
    if not report.strip():
        return Verdict.CRASHED, "its supervisor was ended"
    found = json.loads(report)
    code = found["code"]
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and found["cpu_s"] >= limits.cpu_s):
        return Verdict.TIMEOUT, f"{limits.cpu_s} s of processor time"
    if code < 0:
        return Verdict.CRASHED, signal.Signals(-code).name
    return _told(found["told"]) or (Verdict.CRASHED, f"it left with exit code {code} before its tests ended")


def _told(line: str) -> tuple[Verdict, str] | None:
    """Return what the driver told from inside; None where it did not come to that."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match told:
        case {"verdict": "passed" | "failed" | "memory" as verdict, "reason": str() as reason}:
            return Verdict(verdict), reason
        case _:
            return None
