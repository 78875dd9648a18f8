"""A training that is asked to end saves first: by SIGTERM, SIGINT, or a file that its launcher's parent writes."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

STOP_FILE = "stop"


@dataclass(slots=True)
class Stop:
    """Whether this process was asked to end, and by what."""

    file: Path | None = None
    by: str = ""

    def asked(self) -> bool:
        if not self.by and self.file and self.file.exists():
            self.by = "the process that started the launcher"
        return bool(self.by)


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
