"""A training that is asked to end saves first: by SIGTERM, SIGINT, or the process that started its launcher.

That process may be on another machine, so it speaks through a file: it writes a number there that keeps changing, or
`stop`. Where the number changes no more, the process is dead, and a training that nobody waits for ends too.
"""

import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

CONTROL_FILE, STOP = "control", "stop"
BEAT_SECONDS, PATIENCE_SECONDS = 5.0, 120.0


@dataclass(slots=True)
class Stop:
    """Whether this process was asked to end, and by what."""

    file: Path | None = None
    by: str = ""
    said: str = ""
    since: float = 0.0
    """When the file was first seen to say so."""

    def asked(self) -> bool:
        """Look again; call it now and then."""
        if not self.by and self.file and self.file.exists():
            self._read(self.file.read_text("utf-8"))
        return bool(self.by)

    def _read(self, text: str) -> None:
        if text == STOP:
            self.by = "the process that started the launcher"
        elif text != self.said:
            self.said, self.since = text, time.monotonic()
        elif time.monotonic() - self.since > PATIENCE_SECONDS:
            self.by = "the death of the process that started the launcher"


@contextmanager
def stop_on_signal(file: Path | None = None) -> Generator[Stop]:
    """Inside the block the first SIGTERM or SIGINT is only noted; a second one acts as it always does.

    Outside of the main thread, where Python handles no signals, only the file counts.
    """
    stop = Stop(file)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, _: FrameType | None) -> None:
        stop.by = signal.Signals(number).name
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
