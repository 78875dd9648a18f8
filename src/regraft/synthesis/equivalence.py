"""Whether two answers in mathematics say the same: math-verify in a process of its own, which may be stopped.

An answer is what a model wrote: `9^{9^{9^9}}` keeps a computer algebra busy for years, inside one call. So the process
has bounds on memory and on processor time, and is replaced when it passes them. Its own time and not that of a clock,
so that a busy machine gives the same verdicts.
"""

import resource
import signal
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self

MAX_CHARACTERS = 200
"""Of an answer that is looked at; a longer one is no final answer."""
WAIT_S = 300.0
"""At most so long by the clock, for the process to import its library or to compare."""


class Equivalence:
    """Compares answers. Start it with `with`; one comparison at a time."""

    def __init__(self, max_cpu_s: float = 5.0, max_memory_bytes: int = 2 * 1024**3) -> None:
        self.max_cpu_s, self.max_memory_bytes = max_cpu_s, max_memory_bytes
        self._worker: tuple[BaseProcess, Connection] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def same(self, answer: str, other: str) -> bool | None:
        """Return whether two answers are equal as mathematics, None where that cannot be told within the bounds."""
        if answer == other:
            return True
        if max(len(answer), len(other)) > MAX_CHARACTERS:
            return None
        try:
            connection = self._started()
            connection.send((answer, other))
            if connection.poll(WAIT_S):
                return connection.recv()
        except (EOFError, OSError):
            pass
        self._stop()
        return None

    def _started(self) -> Connection:
        """Return the connection to a process that is ready.

        Raises:
            EOFError: it ended while it started.
        """
        if self._worker is None:
            context = get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self.max_cpu_s, self.max_memory_bytes), daemon=True)
            process.start()
            theirs.close()
            self._worker = (process, ours)
            if not ours.poll(WAIT_S) or ours.recv() != "ready":
                raise EOFError
        return self._worker[1]

    def _stop(self) -> None:
        if self._worker is not None:
            process, connection = self._worker
            process.kill()
            process.join()
            connection.close()
            self._worker = None


def _serve(connection: Connection, max_cpu_s: float, max_memory_bytes: int) -> None:
    """Compare what comes in until the other end is closed."""
    import logging

    logging.disable(logging.ERROR)  # that it has no timeout of its own is meant
    from math_verify import LatexExtractionConfig, parse, verify  # pyright: ignore[reportMissingTypeStubs]

    def read(answer: str) -> list[Any]:
        # as LaTeX only: for plain expressions the library calls Python's own evaluation
        return parse(f"${answer}$", extraction_config=[LatexExtractionConfig()], parsing_timeout=0)

    resource.setrlimit(resource.RLIMIT_AS, (max_memory_bytes, max_memory_bytes))
    connection.send("ready")
    while True:
        try:
            given = connection.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, max_cpu_s)  # its signal, which nothing handles, ends the process
        answer, other = map(read, given)
        known = bool(answer and other)
        equal = known and (verify(answer, other, timeout_seconds=None) or verify(other, answer, timeout_seconds=None))
        signal.setitimer(signal.ITIMER_PROF, 0)
        connection.send(bool(equal) if known else None)
