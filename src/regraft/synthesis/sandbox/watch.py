"""Reads what a running program writes until it ends, or until a limit is reached that only the outside can keep."""

import os
import selectors
import subprocess
import time
from dataclasses import dataclass

from regraft.synthesis.sandbox.isolation import Limits
from regraft.synthesis.sandbox.verdict import Verdict

_CHUNK = 65536
_REPORT_BYTES = 32768
"""More than a supervisor ever says."""


@dataclass(slots=True, kw_only=True)
class Watched:
    """What came of a program so far."""

    output: bytes = b""
    report: bytes = b""
    """Of its supervisor."""
    stopped: tuple[Verdict, str] | None = None
    """Which limit ended it, None where it ended by itself."""


def watch(process: subprocess.Popen[bytes], limits: Limits) -> Watched:
    """Read until the report ends, or a limit stops it: a process left behind may hold the output open for ever."""
    assert process.stdout is not None
    assert process.stderr is not None
    watched, deadline = Watched(), time.monotonic() + limits.wall_s
    with selectors.DefaultSelector() as selector:
        for stream, name in ((process.stdout, "output"), (process.stderr, "report")):
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, name)
        while process.stderr in selector.get_map():
            for key, _ in selector.select(max(0, deadline - time.monotonic())):
                if not _take(watched, key.data, key.fd):
                    selector.unregister(key.fileobj)
            if len(watched.output) > limits.output_bytes:
                break
            if len(watched.report) > _REPORT_BYTES:
                watched.stopped = Verdict.CRASHED, "its supervisor was disturbed"
                return watched
            if time.monotonic() >= deadline:
                watched.stopped = Verdict.TIMEOUT, f"{limits.wall_s:g} s in all"
                return watched
    _take(watched, "output", process.stdout.fileno())
    if len(watched.output) > limits.output_bytes:
        watched.stopped = Verdict.OUTPUT, f"more than {limits.output_bytes} bytes of output"
    return watched


def _take(watched: Watched, name: str, descriptor: int) -> bool:
    """Add what can be read now; return whether there may be more."""
    try:
        chunk = os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return True
    setattr(watched, name, getattr(watched, name) + chunk)
    return bool(chunk)
