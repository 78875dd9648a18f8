"""Run a training in the processes of a launcher: `torchrun --nproc-per-node 8`, `srun torchrun ...`.

The stage writes what is to be done to a file below its scratch, starts `LAUNCHER -m regraft.training.worker FILE`,
shows what the first process tells, and takes the figures of the manifest from a file at the end. Config classes may be
defined in the user's recipe, so they travel by value.
"""

import json
import logging
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle

from regraft.core import Context, Interrupted, Metrics, Progress, RegraftError, Ticker
from regraft.training.signals import BEAT_SECONDS, CONTROL_FILE, STOP, Stop, stop_on_signal

JOB, MESSAGES, RESULT, OUTPUT = "job.pickle", "messages.jsonl", "result.json", "processes.log"
POLL_SECONDS = 0.2
TAIL = 2_000
"""Characters of the processes' output that an error shows."""


def launched(config: Any, ctx: Context) -> Metrics:
    """Return the figures of a training that the processes of `execution.launcher` ran.

    Raises:
        Interrupted: it was asked to end and has saved.
        RegraftError: a process failed; the message shows the end of what they wrote.
    """
    for name in (MESSAGES, RESULT, CONTROL_FILE):
        (ctx.scratch / name).unlink(missing_ok=True)
    job = {"config": config, "out": ctx.out, "scratch": ctx.scratch, "execution": ctx.execution, "inputs": ctx.inputs}
    (ctx.scratch / JOB).write_bytes(cloudpickle.dumps({**job, "name": ctx.log.name}))
    command = [*_launcher(ctx.execution.launcher), "-m", "regraft.training.worker", str(ctx.scratch / JOB)]
    ctx.log.info("starts %s", shlex.join(command))
    with (ctx.scratch / OUTPUT).open("wb") as output, stop_on_signal() as stop:
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            _follow(child, ctx, stop)
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
                child.wait()
    return _result(ctx.scratch, child.returncode)


def _launcher(launcher: str) -> list[str]:
    """Return its words; torchrun is that of this Python, which may not be on the path."""
    words: list[str] = []
    for word in shlex.split(launcher):
        words += [sys.executable, "-m", "torch.distributed.run"] if word == "torchrun" else [word]
    return words


def _follow(child: "subprocess.Popen[bytes]", ctx: Context, stop: Stop) -> None:
    """Show what the first process tells until all have ended; pass on that they should."""
    shown = _Shown(ctx.log, ctx.progress)
    messages = _messages(ctx.scratch / MESSAGES)
    control = ctx.scratch / CONTROL_FILE
    while True:
        ended = child.poll() is not None
        for message in messages:
            if message is None:
                break
            shown.show(message)
        if ended:
            return
        part = control.with_suffix(".part")
        part.write_text(STOP if stop.by else str(time.monotonic() // BEAT_SECONDS), "utf-8")
        part.replace(control)
        time.sleep(POLL_SECONDS)


def _messages(path: Path) -> Iterator[dict[str, Any] | None]:
    """Yield each whole line as it comes, and None where there is no more for now."""
    rest, at = b"", 0
    while True:
        with suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(at)
            rest += file.read()
            at = file.tell()
        *lines, rest = rest.split(b"\n")
        for line in lines:
            yield json.loads(line)
        yield None


@dataclass(slots=True)
class _Shown:
    """Log and progress of the first process, in this one."""

    log: logging.Logger
    progress: Progress
    tickers: dict[int, Ticker] = field(default_factory=dict[int, Ticker])

    def show(self, message: dict[str, Any]) -> None:
        match message:
            case {"log": text, "level": level}:
                self.log.log(level, "%s", text)
            case {"track": number, "label": label, "total": total, "unit": unit, "done": done}:
                self.tickers[number] = self.progress.track(label, total, unit, done)
            case {"advance": number, "amount": amount, "note": note}:
                self.tickers[number].advance(amount, note)
            case {"finish": number}:
                self.progress.finish(self.tickers.pop(number))
            case _:
                raise AssertionError(message)


def _result(scratch: Path, status: int) -> Metrics:
    try:
        result = json.loads((scratch / RESULT).read_text("utf-8"))
    except FileNotFoundError:
        output = (scratch / OUTPUT).read_text("utf-8", "replace")[-TAIL:]
        raise RegraftError(f"The processes of the training ended with status {status}:\n{output}") from None
    if "interrupted" in result:
        raise Interrupted(result["interrupted"])
    if "error" in result:
        raise RegraftError(result["error"])
    return result["metrics"]
