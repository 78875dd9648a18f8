"""Signals that ask a run to end: the first lets it finish what is paid for, the second ends it."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Generator


@contextlib.contextmanager
def draining(interrupt: Callable[[], None]) -> Generator[None]:
    """Let the first SIGINT or SIGTERM call `interrupt`; a second acts as ever. Signals only reach the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)

    def first() -> None:
        restore()
        interrupt()

    for number in before:
        loop.add_signal_handler(number, first)
    try:
        yield
    finally:
        restore()
