"""Run a training in the processes of a launcher: `torchrun --nproc-per-node 8`, `srun torchrun ...`.

The stage writes what is to be done to a file below its scratch, starts `LAUNCHER -m regraft.training.worker FILE`,
shows what the first process tells, and takes the figures of the manifest from a file at the end.
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

from regraft.core import ConfigError, Context, Interrupted, Metrics, Progress, RegraftError, Ticker
from regraft.corpus.portable import packed
from regraft.training.control import STOP, new_control, stop_earlier, tell
from regraft.training.signals import BEAT_SECONDS, Stop, stop_on_signal

JOB, MESSAGES, OUTPUT = "job.pickle", "messages.jsonl", "processes.log"
POLL_SECONDS = 0.2
TAIL = 2_000
"""Characters of the processes' output that an error shows."""


def launched(config: Any, ctx: Context) -> Metrics:
    """Return the figures of a training that the processes of `execution.launcher` ran.

    Raises:
        ConfigError: there is no such launcher.
        Interrupted: it was asked to end and has saved.
        RegraftError: a process failed; the message says why, or shows the end of what they wrote.
    """
    stop_earlier(ctx.scratch)
    (ctx.scratch / MESSAGES).unlink(missing_ok=True)
    control = new_control(ctx.scratch)
    job = {"config": config, "out": ctx.out, "scratch": ctx.scratch, "execution": ctx.execution, "inputs": ctx.inputs}
    (ctx.scratch / JOB).write_bytes(packed({**job, "name": ctx.log.name, "control": control}))
    with stop_on_signal() as stop:
        child = _started(ctx)
        try:
            _follow(child, ctx, control, stop)
        finally:
            with suppress(OSError):  # of a full disk; the signal says it too
                tell(control, STOP)
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
                child.wait()
        return _result(result_of(control), ctx.scratch / OUTPUT, child.returncode)


def result_of(control: Path) -> Path:
    """Return the file in which the processes that look at a control file say how the training ended."""
    return control.with_name(f"result-{control.name}.json")


def _started(ctx: Context) -> "subprocess.Popen[bytes]":
    command = [*_launcher(ctx.execution.launcher), "-m", "regraft.training.worker", str(ctx.scratch / JOB)]
    ctx.log.info("starts %s", shlex.join(command))
    with (ctx.scratch / OUTPUT).open("wb") as output:
        try:
            return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        except (FileNotFoundError, PermissionError) as error:
            raise ConfigError(f"The launcher {ctx.execution.launcher!r} cannot be started: {error}.") from error


def _launcher(launcher: str) -> list[str]:
    """Return its words; torchrun is that of this Python, which may not be on the path."""
    words: list[str] = []
    for word in shlex.split(launcher):
        words += [sys.executable, "-m", "torch.distributed.run"] if word == "torchrun" else [word]
    return words


def _follow(child: "subprocess.Popen[bytes]", ctx: Context, control: Path, stop: Stop) -> None:
    """Show what the first process tells until all have ended; pass on that they should."""
    shown = _Shown(ctx.log, ctx.progress)
    messages = _messages(ctx.scratch / MESSAGES)
    while True:
        ended = child.poll() is not None
        for message in messages:
            if message is None:
                break
            shown.show(message)
        if ended:
            return
        tell(control, STOP if stop.by else str(time.monotonic() // BEAT_SECONDS))
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


def _result(file: Path, output: Path, status: int) -> Metrics:
    unsaid = {"failed": "no process has said why"}
    result: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else unsaid
    if "interrupted" in result:
        raise Interrupted(result["interrupted"])
    if "error" in result:
        raise RegraftError(result["error"])
    if "failed" in result:
        words = output.read_text("utf-8", "replace")[-TAIL:]
        raise RegraftError(f"{result['failed']}\nThe processes of the training ended with status {status}:\n{words}")
    return result["metrics"]
