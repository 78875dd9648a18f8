"""What stands between a training and processes that an earlier start of it left behind.

The process that starts a launcher may be on another machine than those that train, so it speaks to them through a file
of its own for every start: it writes a number there that keeps changing, or `stop`. Where the number changes no more
it is dead, and a training that nobody waits for ends too.
"""

import fcntl
import logging
import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

CONTROL, STOP = "control-", "stop"
LOCK = "processes.lock"


def new_control(scratch: Path) -> Path:
    """Return the file by which a new start of a training speaks to its processes."""
    return scratch / f"{CONTROL}{uuid.uuid4().hex}"


def tell(control: Path, text: str) -> None:
    """Let the processes that look at a control file find `text` there, whole."""
    part = control.with_name(f"part-{control.name}")
    part.write_text(text, "utf-8")
    part.replace(control)


def stop_earlier(scratch: Path) -> None:
    """Ask what earlier starts of a training left behind to save and end; call it before this start has a file."""
    for control in scratch.glob(f"{CONTROL}*"):
        tell(control, STOP)


@contextmanager
def alone(scratch: Path, log: logging.Logger) -> Generator[None]:
    """Inside the block no other process writes for this training; it begins when the last one has ended."""
    descriptor = os.open(scratch / LOCK, os.O_CREAT | os.O_RDWR)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("processes of an earlier start of this training still run; waits for them to save and end")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
