"""One process of a training that a launcher started: `python -m regraft.training.worker JOB`."""

import json
import logging
import os
import sys
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from regraft.core import Context, Interrupted, Metrics, RegraftError, Silent, Ticker
from regraft.corpus.portable import unpacked
from regraft.training.control import alone
from regraft.training.launch import MESSAGES, result_of
from regraft.training.loop import run_training
from regraft.training.signals import stop_on_signal


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


def main(job: Path) -> int:
    """Take part in the training that a file describes, and write how it ended where its control file says.

    The first process writes the figures, the first one that fails the error: the others then fail for want of it.
    """
    given = unpacked(job.read_bytes())  # written by the process that started this one
    first = int(os.environ.get("RANK", "0")) == 0
    log = logging.getLogger(given.pop("name"))
    log.propagate = False
    log.setLevel(logging.INFO)
    messages = Messages((job.parent / MESSAGES).open("a", encoding="utf-8")) if first else None
    log.handlers = [_Handler(messages) if messages else logging.NullHandler()]
    config, control = given.pop("config"), given.pop("control")
    ended = partial(_ended, result_of(control))
    ctx = Context(**given, log=log, progress=messages or Silent())
    with stop_on_signal(control) as stop:
        try:
            with alone(ctx.scratch, log) if first else nullcontext():
                metrics = run_training(config, ctx, stop)
        except Interrupted as stopped:
            return ended(0, interrupted=str(stopped)) if first else 0
        except RegraftError as error:
            return ended(1, error=str(error))
        except Exception as error:
            ended(1, failed=f"{type(error).__name__}: {error}")
            raise
        return ended(0, metrics=dict(metrics)) if first else 0


def _ended(file: Path, status: int, **result: Metrics | str) -> int:
    """Write how the training ended, unless another process has written of a failure, and return the exit status."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_text(json.dumps(result), "utf-8")
    with suppress(FileExistsError):
        os.link(part, file)
    part.unlink()
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
