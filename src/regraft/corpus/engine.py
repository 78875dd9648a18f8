# ruff: noqa: E402  (telemetry must be off before Daft is imported)
"""Daft, imported here and nowhere else, with its traps dealt with once.

- Telemetry is on by default: it is switched off before Daft is imported.
- A worker process imports classes by name: what it could not import is sent by value (`portable.py`).
- A raising row kills a job: what a task raises comes back as a value.
- Rows come in any order on Ray: every answer names its task.
- Tasks go round the workers in turn by default, so that one long task holds up all others: order is given up.
- A run that is given up waits for its workers, a worker outlives Ctrl-C, and a worker that dies while it starts is
  waited for without end: workers are watched (`_tend`).
- A thread of Daft's that is inside Python when the interpreter ends takes the process down with a segmentation fault:
  the interpreter waits a moment.
- There is no memory limit, and no resume on one machine: no text goes through a frame, only the names of tasks do, and
  each task reads and writes its own files.
"""

import atexit
import gc
import logging
import os
import pickle
import signal
import socket
import threading
import time

os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("DAFT_ANALYTICS_ENABLED", "0")
os.environ.setdefault("DAFT_PROGRESS_BAR", "0")  # ours counts shards, its own counts rows of names
logging.getLogger("tracing").setLevel(logging.WARNING)  # a line for every operator otherwise

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import daft
import pyarrow as pa
from daft import DataType, col, functions
from daft.execution.udf import UdfHandle
from daft.expressions.expressions import ExpressionsProjection
from daft.recordbatch import RecordBatch

from regraft.core import ConfigError, Execution, RegraftError
from regraft.corpus.portable import packed, unpacked

__all__ = ["WorkerDied", "col", "evaluate", "functions", "run_tasks"]

WATCH = 0.5
"""Seconds between two looks at the workers."""
SETTLED = 0.1
"""Seconds until Daft's threads have let go of what a run had; ten times what was measured."""
_ANSWER = DataType.struct({"task": DataType.string(), "error": DataType.binary()})


def evaluate(columns: Mapping[str, Any], **expressions: daft.Expression) -> pa.Table:
    """Return what expressions make of columns in memory, here and now: no frame, no plan, one thread."""
    projection = ExpressionsProjection([expression.alias(name) for name, expression in expressions.items()])
    return RecordBatch.from_pydict(dict(columns)).eval_expression_list(projection).to_arrow_table()


class WorkerDied(RegraftError):
    """A worker process ended in the middle of a task."""


def run_tasks(function: Callable[[str, Any], None], tasks: Mapping[str, Any], execution: Execution) -> Iterator[str]:
    """Call `function(name, task)` for each task in worker processes that end with this call; yield what is done.

    Raises:
        Exception: what the function raised.
        WorkerDied: a worker process ended on its own.
    """
    _start(execution.engine)
    workers = min(execution.workers, len(tasks))
    worker = daft.cls(_Worker, max_concurrency=workers, use_process=True)(packed(function))
    rows = {"task": list(tasks), "value": [pickle.dumps(value) for value in tasks.values()]}
    frame = daft.from_pydict(rows)
    if execution.engine == "ray":
        frame = frame.into_partitions(len(tasks))
    answers = _died(frame.select(worker.run(col("task"), col("value")).alias("answer")).to_arrow_iter())
    over, given_up = threading.Event(), threading.Event()
    threading.Thread(target=_watch, args=(over, given_up), daemon=True).start()
    try:
        for batch in answers:
            for answer in batch.column("answer").to_pylist():
                if answer["error"] is not None:
                    raise pickle.loads(answer["error"])
                yield answer["task"]
    except BaseException:
        given_up.set()
        _tend(given_up)
        raise
    finally:
        answers.close()  # waits for the workers
        over.set()


class _Worker:
    """Does tasks; lives in a worker process."""

    def __init__(self, function: bytes) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses Ctrl-C means the job, not this task
        self.function: Callable[[str, Any], None] = unpacked(function)

    @daft.method.batch(return_dtype=_ANSWER, batch_size=1)
    def run(self, task: daft.Series, value: daft.Series) -> list[dict[str, Any]]:
        return [
            {"task": name, "error": _error(self.function, name, pickle.loads(data))}
            for name, data in zip(task.to_pylist(), value.to_pylist(), strict=True)
        ]


def _error(function: Callable[[str, Any], None], name: str, value: Any) -> bytes | None:
    """Call the function and return the exception that it raised."""
    try:
        function(name, value)
    except Exception as error:
        error.add_note(f"in {name}")
        try:
            data = pickle.dumps(error)
            pickle.loads(data)  # an error with arguments of its own may go in and not come out
            return data
        except Exception:
            return pickle.dumps(RegraftError(f"{name}: {type(error).__name__}: {error}"))
    return None


def _died(batches: Iterator[Any]) -> Generator[Any]:
    """Yield what Daft yields; an error of its own means that a worker is gone, since tasks return theirs."""
    try:
        yield from batches
    except Exception as error:
        raise WorkerDied(f"A worker process ended on its own: {error}") from error


def _watch(over: threading.Event, given_up: threading.Event) -> None:
    """Look after the workers of this machine until their run is over."""
    while not over.wait(WATCH):
        _tend(given_up)


def _tend(given_up: threading.Event) -> None:
    """End the workers of a run that is given up; give up waiting for one that died before it came up."""
    for worker in gc.get_objects():
        if type(worker) is UdfHandle and hasattr(worker, "process"):
            if given_up.is_set():
                worker.process.kill()
            if not hasattr(worker, "handle_conn") and worker.process.poll() is not None:
                with suppress(OSError), socket.socket(socket.AF_UNIX) as caller:
                    caller.setblocking(False)
                    caller.connect(worker.socket_path)  # says nothing, which ends the wait for who would


@cache
def _start(engine: str) -> None:
    """Choose Daft's runner; a process can do so once."""
    atexit.register(time.sleep, SETTLED)
    try:
        if engine == "ray":
            daft.set_runner_ray(noop_if_initialized=True)
        else:
            daft.set_runner_native()
        daft.set_execution_config(maintain_order=False)
    except (ImportError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"engine {engine!r} cannot be used: {error}. Install ray, or use the native engine."
        ) from error
