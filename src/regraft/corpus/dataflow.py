"""Daft, with its traps dealt with once: order, bad rows, workers, telemetry.

- Telemetry is on by default: it is switched off before Daft is imported.
- A glob is read in any order, and so are written files: explicit lists go in, `to_arrow_iter` comes out, and the ids
  are compared with the input's.
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
import pyarrow as pa
from daft import DataType, col

from regraft.core import ConfigError, Context, Execution, Metrics, RegraftError
from regraft.corpus import tables
from regraft.corpus.document import Document, Reject
from regraft.corpus.rows import CorpusWriter, documents

BATCH = 64
"""Documents that a kernel is handed at once."""
SERIAL = 1000
"""Documents below which starting worker processes costs more than it saves."""

_COLUMNS = tables.DOCUMENTS.names
_TEXTS = ("id", "text", "source", "language", "meta", "reason", "detail")
_OUTCOME = DataType.struct({**dict.fromkeys(_TEXTS, DataType.string()), "parents": DataType.list(DataType.string())})


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
    originals = documents([path])
    read = 0
    with CorpusWriter(ctx.out, stage) as writer, ctx.track(stage, total, "documents") as ticker:
        for batch in outcomes(path, kernel, ctx.execution):
            for outcome in batch:
                original = next(originals, None)
                if original is None or original.id != outcome["id"]:
                    raise RegraftError(f"{stage}: document {outcome['id']} came out of order; this is a bug.")
                writer.put(original, _outcome(outcome))
            read += len(batch)
            ticker.advance(len(batch))
        if read != total:
            raise RegraftError(f"{stage}: {read} of {total} documents came back; this is a bug.")
        return writer.metrics(total)


def frame(files: Iterable[Path], execution: Execution) -> daft.DataFrame:
    """Return a lazy frame over Parquet files, in the order given, on the engine that was asked for."""
    _start(execution.engine)
    return daft.read_parquet([str(path) for path in files])


def outcomes(path: Path, kernel: Kernel, execution: Execution) -> Iterator[list[dict[str, Any]]]:
    """Yield batches of what a kernel made of each document, in order; `reason` is empty where it is kept."""
    workers = execution.workers if tables.num_rows(path) >= SERIAL else 1
    worker = daft.cls(_Worker, max_concurrency=workers, use_process=workers > 1)(kernel)
    made = frame([path], execution).select(worker.run(*map(col, _COLUMNS)).alias("outcome"))
    for batch in made.to_arrow_iter():
        yield batch.column("outcome").to_pylist()


class _Worker:
    """Runs a kernel; lives in a worker process."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

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
        empty: dict[str, Any] = {**dict.fromkeys(_TEXTS, ""), "parents": []}
        return {**empty, "id": row["id"], "reason": outcome.reason, "detail": outcome.detail}
    return {**outcome.row(), "reason": "", "detail": ""}


def _outcome(row: dict[str, Any]) -> Document | Reject:
    if row["reason"]:
        return Reject(row["reason"], row["detail"])
    return Document(**{name: row[name] for name in _COLUMNS})


@cache
def _start(engine: str) -> None:
    """Choose Daft's runner; a process can do so once."""
    try:
        if engine == "ray":
            daft.set_runner_ray(noop_if_initialized=True)
        else:
            daft.set_runner_native()
    except (ImportError, RuntimeError, daft.exceptions.DaftCoreException) as error:
        raise ConfigError(
            f"engine {engine!r} cannot be used: {error}. Install ray, or use the native engine."
        ) from error
