"""One process of a training that a launcher started: `python -m regraft.training.worker JOB`."""

import fcntl
import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import cloudpickle

from regraft.core import Context, Interrupted, RegraftError, Silent, Ticker
from regraft.training.launch import MESSAGES, RESULT
from regraft.training.loop import run_training

LOCK = "processes.lock"


@dataclass(slots=True)
class Messages:
    """Log and progress as lines of a file that the process which started all this reads."""

    file: TextIO
    tickers: int = 0

    def tell(self, **message: Any) -> None:
        self.file.write(json.dumps(message) + "\n")
        self.file.flush()

    def track(self, label: str, total: float, unit: str, done: float = 0) -> Ticker:
        self.tickers += 1
        self.tell(track=self.tickers, label=label, total=total, unit=unit, done=done)
        return _Told(self, self.tickers)

    def finish(self, ticker: Ticker) -> None:
        assert isinstance(ticker, _Told)
        self.tell(finish=ticker.number)


@dataclass(frozen=True, slots=True)
class _Told:
    messages: Messages
    number: int

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.messages.tell(advance=self.number, amount=amount, note=note)


class _Handler(logging.Handler):
    def __init__(self, messages: Messages) -> None:
        super().__init__()
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.tell(log=record.getMessage(), level=record.levelno)


def _wait_for_others(lock: Path, log: logging.Logger) -> None:
    """Return once no process of an earlier start of this training is left; the lock is held until this one ends."""
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.warning("processes of an earlier start of this training still run; waits for them to end")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def main(job: Path) -> int:
    """Take part in the training that a file describes; the first process writes what came of it beside that file."""
    given = cloudpickle.loads(job.read_bytes())  # written by the process that started this one
    first = int(os.environ.get("RANK", "0")) == 0
    log = logging.getLogger(given.pop("name"))
    log.propagate = False
    log.setLevel(logging.INFO)
    log.handlers = [logging.NullHandler()]
    messages = Messages((job.parent / MESSAGES).open("a", encoding="utf-8")) if first else None
    if messages:
        log.handlers = [_Handler(messages)]
        _wait_for_others(job.with_name(LOCK), log)
    config = given.pop("config")
    ctx = Context(**given, log=log, progress=messages or Silent())
    result: dict[str, Any] = {}
    try:
        result = {"metrics": dict(run_training(config, ctx))}
    except Interrupted as stopped:
        result = {"interrupted": str(stopped)}
    except RegraftError as error:
        result = {"error": str(error)}
        print(error, file=sys.stderr)
    if first:
        part = job.with_name(f"{RESULT}.part")
        part.write_text(json.dumps(result), "utf-8")
        part.replace(job.with_name(RESULT))
    return 0 if "error" not in result else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
