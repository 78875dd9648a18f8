# ruff: noqa: E402  (telemetry must be off before Daft is imported)
"""Daft, with its traps dealt with once: order, bad rows, workers, telemetry.

- Telemetry is on by default: it is switched off before Daft is imported, so Daft is always imported from here.
- A glob is read in any order, files are written in any order, and on Ray rows come in any order: explicit lists go in,
  `to_arrow_iter` comes out, and every row is put to its place by its id.
- A worker process imports a kernel's class by name: classes that it could not import are sent by value.
- A raising row kills a job: a kernel's exception becomes a reject of that row.
- There is no memory limit: the text is streamed, never sorted, joined or collected.
"""

import logging
import os

os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("DAFT_ANALYTICS_ENABLED", "0")
logging.getLogger("tracing").setLevel(logging.WARNING)  # a line for every operator otherwise

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import daft
from daft import DataType, col, functions

from regraft.core import ConfigError, Context, Execution, Metrics, RegraftError
from regraft.corpus import tables
from regraft.corpus.document import Document, Reject
from regraft.corpus.portable import packed, unpacked
from regraft.corpus.rows import CorpusWriter, documents

__all__ = ["Kernel", "col", "frame", "functions", "transform"]

BATCH = 64
"""Documents that a kernel is handed at once."""
SERIAL = 2000
"""Documents below which starting worker processes costs more than it saves."""

_COLUMNS = tables.DOCUMENTS.names
_TEXTS = ("id", "text", "source", "language", "meta", "reason", "detail")
_OUTCOME = DataType.struct(
    {
        **dict.fromkeys(_TEXTS, DataType.string()),
        "parents": DataType.list(DataType.string()),
        "kept": DataType.bool(),
    }
)


class Kernel(Protocol):
    """What is done to one document. It is sent to worker processes, so it must be picklable, and it keeps no state."""

    def __call__(self, document: Document) -> Document | Reject:
        """Return what the document becomes, or why it is dropped."""
        ...


def transform(kernel: Kernel, ctx: Context, stage: str) -> Metrics:
    """Write what `kernel` makes of every document of the input `docs`, in their order, and return the counts.

    A document on which the kernel raises is rejected with the reason `error`.

    Raises:
        RegraftError: nothing was kept, or rows were lost or came in another order.
    """
    path = ctx.input("docs").file(tables.DOCUMENTS_FILE)
    total = tables.num_rows(path)
    with CorpusWriter(ctx.out, stage) as writer, ctx.track(stage, total, "documents") as ticker:
        found = outcomes(path, kernel, ctx.execution)
        for original, outcome in in_order(documents([path]), found):
            writer.put(original, outcome)
            ticker.advance()
        return writer.metrics(total)


def in_order(
    originals: Iterable[Document], found: Iterator[tuple[str, Document | Reject]]
) -> Iterator[tuple[Document, Document | Reject]]:
    """Yield every document with its outcome, in the order of the documents; those that come early wait.

    Raises:
        RegraftError: a document never came, or one came that nobody asked for.
    """
    waiting: dict[str, Document | Reject] = {}
    for original in originals:
        while original.id not in waiting:
            id_, outcome = next(found, (None, None))
            if id_ is None or outcome is None or id_ in waiting:
                raise RegraftError(f"Document {id_ or original.id} {'came twice' if id_ else 'was lost'} on the way.")
            waiting[id_] = outcome
        yield original, waiting.pop(original.id)
    if waiting or next(found, None) is not None:
        raise RegraftError(f"More came back than was sent: {sorted(waiting)[:3]}.")


def frame(files: Iterable[Path], execution: Execution) -> daft.DataFrame:
    """Return a lazy frame over Parquet files, in the order given, on the engine that was asked for."""
    _start(execution.engine)
    return daft.read_parquet([str(path) for path in files])


def outcomes(path: Path, kernel: Kernel, execution: Execution) -> Iterator[tuple[str, Document | Reject]]:
    """Yield the id of each document and what a kernel made of it; in order, but for Ray."""
    workers = execution.workers if tables.num_rows(path) >= SERIAL else 1
    worker = daft.cls(_Worker, max_concurrency=workers, use_process=workers > 1)(packed(kernel))
    made = frame([path], execution).select(worker.run(*map(col, _COLUMNS)).alias("outcome"))
    for batch in made.to_arrow_iter():
        yield from ((row["id"], _outcome(row)) for row in batch.column("outcome").to_pylist())


class _Worker:
    """Runs a kernel; lives in a worker process."""

    def __init__(self, kernel: bytes) -> None:
        self.kernel: Kernel = unpacked(kernel)

    @daft.method.batch(return_dtype=_OUTCOME, batch_size=BATCH)
    def run(
        self,
        id: daft.Series,
        text: daft.Series,
        source: daft.Series,
        language: daft.Series,
        parents: daft.Series,
        meta: daft.Series,
    ) -> list[dict[str, Any]]:
        columns = [series.to_pylist() for series in (id, text, source, language, parents, meta)]
        return [_run(self.kernel, dict(zip(_COLUMNS, row, strict=True))) for row in zip(*columns, strict=True)]


def _run(kernel: Kernel, row: dict[str, Any]) -> dict[str, Any]:
    try:
        outcome = kernel(Document(**row))
    except Exception as error:
        outcome = Reject("error", f"{type(error).__name__}: {error}")
    if isinstance(outcome, Reject):
        empty: dict[str, Any] = {**dict.fromkeys(_TEXTS, ""), "parents": [], "kept": False}
        return {**empty, "id": row["id"], "reason": outcome.reason, "detail": outcome.detail}
    return {**outcome.row(), "reason": "", "detail": "", "kept": True}


def _outcome(row: dict[str, Any]) -> Document | Reject:
    if row["kept"]:
        return Document(**{name: row[name] for name in _COLUMNS})
    return Reject(row["reason"], row["detail"])


@cache
def _start(engine: str) -> None:
    """Choose Daft's runner; a process can do so once."""
    try:
        if engine == "ray":
            daft.set_runner_ray(noop_if_initialized=True)
        else:
            daft.set_runner_native()
    except (ImportError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"engine {engine!r} cannot be used: {error}. Install ray, or use the native engine."
        ) from error
