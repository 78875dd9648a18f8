"""A training that is asked to end saves first: by SIGTERM, SIGINT, or the process that started its launcher."""

import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from regraft.core import Interrupted
from regraft.training.control import STOP

BEAT_SECONDS, PATIENCE_SECONDS = 5.0, 120.0


@dataclass(slots=True)
class Stop:
    """Whether this process was asked to end, and by what."""

    control: Path | None = None
    """File of `regraft.training.control` to look at; None where nobody speaks through one."""
    by: str = ""
    said: str = ""
    since: float = 0.0
    """When the file was first seen to say so."""

    def asked(self) -> bool:
        """Look again; call it now and then."""
        if not self.by and self.control:
            with suppress(OSError):  # a file system of several machines may miss it for a moment
                self._heed(self.control.read_text("utf-8"))
        return bool(self.by)

    def _heed(self, text: str) -> None:
        if text == STOP:
            self.by = "the process that started the launcher"
        elif text != self.said:
            self.said, self.since = text, time.monotonic()
        elif time.monotonic() - self.since > PATIENCE_SECONDS:
            self.by = "the death of the process that started the launcher"


@contextmanager
def stop_on_signal(control: Path | None = None) -> Generator[Stop]:
    """Inside the block the first SIGTERM or SIGINT is only noted; a second one acts as it always does.

    Outside of the main thread, where Python handles no signals, only the control file counts.

    Raises:
        Interrupted: a signal was noted, and the block came to its end all the same.
    """
    stop = Stop(control)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    noted: list[str] = []

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _: FrameType | None) -> None:
        stop.by = signal.Signals(number).name
        noted.append(stop.by)
        restore()

    for number in before:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        restore()
    if noted:
        raise Interrupted(f"stopped by {noted[0]} at the very end of the training")
