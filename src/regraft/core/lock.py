"""One process makes an artifact at a time. The kernel drops the lock when its holder dies, however it dies."""

import fcntl
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from regraft.core.errors import RegraftError, StoreBusy


@contextmanager
def exclusive(path: Path, what: str) -> Generator[None]:
    """Hold the lock file `path` while inside.

    Raises:
        StoreBusy: another process holds it; the message says which.
        RegraftError: the store cannot be written to.
    """
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise StoreBusy(
                f"{what} is being made by {holder}. Wait for it and run again (what it made is then reused), "
                "or give this run another --store."
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+", encoding="utf-8")
    except OSError as error:
        raise RegraftError(
            f"The store {path.parent.parent} cannot be written to ({error.strerror}). Give another with --store."
        ) from error
