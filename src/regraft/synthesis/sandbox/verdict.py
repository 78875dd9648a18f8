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
    match _object(report):
        case {"code": int() as code, "cpu_s": float() as cpu_s, "told": str() as told}:
            pass
        case _:
            return Verdict.CRASHED, "its supervisor was disturbed"
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and cpu_s >= limits.cpu_s):
        return Verdict.TIMEOUT, f"{limits.cpu_s} s of processor time"
    if code < 0:
        return Verdict.CRASHED, _signal(-code)
    return _told(told) or (Verdict.CRASHED, f"it left with exit code {code} before its tests ended")


def _object(line: str | bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _signal(number: int) -> str:
    """Return the name of a signal; those for real time have none."""
    known = {one.value: one.name for one in signal.Signals}
    return known.get(number, f"signal {number}")


def _told(line: str) -> tuple[Verdict, str] | None:
    """Return what the driver told from inside; None where it did not come to that."""
    match _object(line):
        case {"verdict": "passed" | "failed" | "memory" as verdict, "reason": str() as reason}:
            return Verdict(verdict), reason.encode("utf-8", "replace").decode()
        case _:
            return None
