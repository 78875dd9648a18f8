"""Runs one program under limits and says how it ended.

Started by its source, inside the isolation: standard library only. A job comes as JSON on stdin, what the program
writes goes to stdout. To stderr, which the program does not have, goes an empty line first, the sign that the isolation
let it come to life, and in the end a line of JSON. What the program tells counts only with a key that the driver reads
from stdin before the program begins, and which is another one each time.
"""
# pathlib takes longer to import than all that is done here.
# ruff: noqa: PTH123

import json
import os
import resource
import sys
from typing import Any

_TOLD = 3
"""Descriptor on which the program may tell how it ended."""
_TOLD_BYTES = 8192


def main() -> None:
    """Run the job and report."""
    print(file=sys.stderr, flush=True)
    job = json.load(sys.stdin)
    for name, text in job["files"].items():
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
    reading, writing = os.pipe()
    for_driver, given = os.pipe()
    key = os.urandom(16).hex().encode() + b"\n"
    os.write(given, key)
    program = os.fork()
    if not program:
        _become(job, for_driver, writing)
    code, cpu_s = _wait(program)
    os.set_blocking(reading, False)
    told = _read(reading).partition(key)[2].partition(b"\n")[0].decode("utf-8", "replace")
    json.dump({"told": told, "code": code, "cpu_s": cpu_s}, sys.stderr)


def _become(job: dict[str, Any], for_driver: int, writing: int) -> None:
    """Turn this process into the program: nothing of it is left but its limits, its folder and three descriptors."""
    try:
        os.dup2(for_driver, 0)
        os.dup2(1, 2)
        os.dup2(writing, _TOLD)
        os.set_inheritable(_TOLD, True)
        for name, bounds in job["limits"].items():
            _limit(getattr(resource, name), *bounds)
        os.execve(job["command"][0], job["command"], job["environment"])
    finally:
        os._exit(127)


def _limit(what: int, soft: int, hard: int) -> None:
    """Set a limit; a tighter one that holds already stays."""
    known = resource.getrlimit(what)[1]
    if known == resource.RLIM_INFINITY or known >= hard:
        resource.setrlimit(what, (soft, hard))


def _wait(program: int) -> tuple[int, float]:
    """Return the exit code, negative for a signal, and the processor time; orphans are buried on the way."""
    while True:
        process, status, usage = os.wait4(-1, 0)
        if process == program:
            return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _TOLD_BYTES)
    except BlockingIOError:
        return b""


if __name__ == "__main__":
    main()
