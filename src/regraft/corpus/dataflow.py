"""What is done to every document of a corpus: shard by shard, with rejects beside what is kept.

A worker reads a shard, applies the kernel to its documents one by one and writes a shard of the same name, so order is
kept, no text goes from one process to another, and memory holds a row group.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from regraft.core import Context, Metrics
from regraft.corpus import tables
from regraft.corpus.document import Document, Outcome, Reject
from regraft.corpus.rows import CorpusWriter, Tally, num_documents, read_documents
from regraft.corpus.work import Counts, Done, Lifeline, Work, each, gather

__all__ = ["Done", "Kernel", "Work", "collect", "each", "transform"]


class Kernel(Protocol):
    """What is done to one document. It is sent to worker processes, so it must be picklable, and it keeps no state."""

    def __call__(self, document: Document) -> Outcome:
        """Return what the document becomes, or why it is dropped."""
        ...


def transform(kernel: Kernel, ctx: Context, stage: str, max_seconds: float = 0) -> Metrics:
    """Write what `kernel` makes of every document of the input `docs`, in their order, and return the counts.

    A document on which the kernel raises is rejected with the reason `error`; one that ends its worker, or takes more
    than `max_seconds` of processor time (0: no bound), with `worker_died`.

    Raises:
        RegraftError: nothing was kept, or documents were lost.
    """
    corpus = ctx.input("docs")
    shards = {path.stem: path for path in tables.shards(corpus.path, tables.DOCUMENTS_FOLDER)}
    size = num_documents(corpus)
    work = MapShard(kernel, stage, max_seconds)
    done = each(work, shards, ctx, stage, num_documents=size, isolated=max_seconds > 0)
    return collect(done, ctx, stage, size)


def collect(done: dict[str, Done], ctx: Context, stage: str, read: int) -> Metrics:
    """Put the shards that were made into the artifact and return the sum of their figures.

    Raises:
        RegraftError: kept and rejected do not add up to what was read, or nothing was kept.
    """
    gather(done, ctx.out)
    tally = Tally()
    for piece in done.values():
        tally.update(piece.counts)
    return tally.checked(stage, read, ctx.out)


@dataclass(frozen=True, slots=True)
class MapShard:
    """Applies a kernel to the documents of one shard."""

    kernel: Kernel
    stage: str
    max_seconds: float = 0

    def __call__(self, item: Path, out: Path) -> Counts:
        lifeline = Lifeline(out)
        deadly = lifeline.deadly
        with CorpusWriter(out, self.stage, shard=item.stem) as writer:
            for number, document in enumerate(read_documents(item)):
                if number in deadly:
                    writer.put(document, self._fatal())
                    continue
                lifeline.say(number)
                writer.put(document, self._bounded(document))
        lifeline.cut()
        return writer.tally

    def _bounded(self, document: Document) -> Outcome:
        """Apply the kernel; beyond its processor time the process ends, since nothing else stops foreign code."""
        if self.max_seconds:
            signal.setitimer(signal.ITIMER_PROF, self.max_seconds)
        try:
            return applied(self.kernel, document)
        finally:
            if self.max_seconds:
                signal.setitimer(signal.ITIMER_PROF, 0)

    def _fatal(self) -> Reject:
        bound = f", or more than {self.max_seconds:g} s of processor time" if self.max_seconds else ""
        return Reject("worker_died", f"twice on this document: a crash, out of memory{bound}")


def applied(kernel: Callable[[Document], Outcome], document: Document) -> Outcome:
    """Return what the kernel makes of a document; an exception becomes a reject."""
    try:
        return kernel(document)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in a library of Rust is no Exception
        return Reject("error", f"{type(error).__name__}: {error}")
