"""Programs tried in threads while others are still written; each verdict is kept, so that none is sought twice."""

import hashlib
import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType

from regraft.synthesis.sandbox.isolation import Isolation, Limits
from regraft.synthesis.sandbox.program import Program
from regraft.synthesis.sandbox.trial import Trial, try_out
from regraft.synthesis.sandbox.verdict import Verdict


class Trials:
    """Verdicts by program, in a file of JSON lines that outlives a crash; what programs wrote is in the file alone."""

    def __init__(self, path: Path, isolation: Isolation, limits: Limits, workers: int) -> None:
        self.isolation, self.limits = isolation, limits
        self._known = _read(path)
        self._file, self._lock = path.open("a", encoding="utf-8"), threading.Lock()
        self._pool, self._asked = ThreadPoolExecutor(workers), dict[str, Future[Trial]]()
        self._file.write("\n")  # ends a line that a crash cut

    def start(self, program: Program) -> None:
        """Have a program tried as soon as a thread is free."""
        key = self._key(program)
        if key not in self._known and key not in self._asked:
            self._asked[key] = self._pool.submit(self._try, key, program)

    def of(self, program: Program) -> Trial:
        """Return what came of a program; it is tried now where it was not before.

        Raises:
            RegraftError: the isolation failed.
        """
        key = self._key(program)
        self.start(program)
        if (asked := self._asked.pop(key, None)) is not None:
            asked.result()
        return self._known[key]

    def _try(self, key: str, program: Program) -> Trial:
        trial = try_out(program, self.isolation, self.limits)
        with self._lock:
            self._file.write(json.dumps({"key": key, **asdict(trial)}) + "\n")
            self._file.flush()
            self._known[key] = replace(trial, tail="")
        return trial

    def _key(self, program: Program) -> str:
        said = [program.solution, program.tests, asdict(self.limits), self.isolation.name]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def __enter__(self) -> "Trials":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._file.close()


def _read(path: Path) -> dict[str, Trial]:
    """Return the verdicts of a file, without a line that a crash cut."""
    known: dict[str, Trial] = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        known[row["key"]] = Trial(verdict=Verdict(row["verdict"]), reason=row["reason"], tail="")
    return known
