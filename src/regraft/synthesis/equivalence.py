"""Whether two answers in mathematics say the same: math-verify in a process of its own, which may be stopped.

An answer is what a model wrote: `9^{9^{9^9}}` keeps a computer algebra busy for years, inside one call. So the process
has bounds on memory and on processor time, and is replaced when it passes them. Its own time and not that of a clock,
so that a busy machine gives the same verdicts.
"""

import json
import subprocess
import sys
from selectors import EVENT_READ, DefaultSelector
from types import TracebackType
from typing import Self

from regraft.core import RegraftError

MAX_CHARACTERS = 200
"""Of an answer that is looked at; a longer one is no final answer."""
WAIT_S = 300.0
"""At most so long by the clock, for the process to import its library or to compare."""


class Equivalence:
    """Compares answers. Start it with `with`; one comparison at a time."""

    def __init__(self, max_cpu_s: float = 5.0, max_memory_bytes: int = 2 * 1024**3) -> None:
        self.max_cpu_s, self.max_memory_bytes = max_cpu_s, max_memory_bytes
        self._worker: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def same(self, answer: str, other: str) -> bool | None:
        """Return whether two answers are equal as mathematics, None where that cannot be told within the bounds.

        Raises:
            RegraftError: the process that compares cannot be started.
        """
        if answer == other:
            return True
        if max(len(answer), len(other)) > MAX_CHARACTERS:
            return None
        worker = self._started()
        assert worker.stdin is not None
        try:
            print(json.dumps([answer, other]), file=worker.stdin, flush=True)
            return self._said(worker)
        except (EOFError, OSError):
            self._stop()
            return None

    def _started(self) -> "subprocess.Popen[str]":
        """Return a process that is ready."""
        if self._worker is None:
            command = [sys.executable, "-m", "regraft.synthesis.comparisons"]
            self._worker = subprocess.Popen(
                [*command, str(self.max_cpu_s), str(self.max_memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            try:
                self._said(self._worker)
            except EOFError as error:
                self._stop()
                raise RegraftError(
                    f"The process that compares answers does not start; see `{' '.join(command)} 5 4000000000`."
                ) from error
        return self._worker

    def _said(self, worker: "subprocess.Popen[str]") -> bool | None:
        """Return what the process says next.

        Raises:
            EOFError: it ended, or says nothing.
        """
        assert worker.stdout is not None
        with DefaultSelector() as selector:
            selector.register(worker.stdout, EVENT_READ)
            line = worker.stdout.readline() if selector.select(WAIT_S) else ""
        if not line:
            raise EOFError
        return json.loads(line)

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker.communicate()
            self._worker = None
