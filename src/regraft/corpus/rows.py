"""Read and write a corpus: kept documents and rejects in shards beside each other, counted.

A row group holds `ROWS` rows however the rows arrive, so that the same documents give the same bytes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Any

from regraft.core import Artifact, RegraftError, SchemaError
from regraft.corpus import tables
from regraft.corpus.document import Changed, Document, Outcome, Reject, reject_row

ROWS = 1000
LINE = 150
"""Characters of a rejected text that are shown in one line."""
SHARD_BYTES = 32 * 1024**2
"""Of text, after which a new shard begins: what a worker does in seconds, and what a crash can cost."""


def documents(*corpora: Artifact) -> Iterator[Document]:
    """Yield the documents of some corpora, in order."""
    for corpus in corpora:
        for path in tables.shards(corpus.path, tables.DOCUMENTS_FOLDER):
            yield from read_documents(path)


def read_documents(path: Path) -> Iterator[Document]:
    """Yield the documents of one shard, in order."""
    for batch in tables.batches(path, tables.DOCUMENTS, ROWS):
        yield from (Document(**row) for row in batch.to_pylist())


def num_documents(*corpora: Artifact) -> int:
    """Return how many documents some corpora have, without reading them."""
    return sum(tables.num_rows(path) for c in corpora for path in tables.shards(c.path, tables.DOCUMENTS_FOLDER))


def with_topics(corpus: Artifact, topics: Artifact | None) -> Iterator[tuple[Document, str]]:
    """Yield each document of a corpus with its topic by an annotation; an empty one where there is none.

    Raises:
        SchemaError: the annotation is one of other documents.
    """
    if topics is None:
        yield from ((document, "") for document in documents(corpus))
        return
    batches = tables.batches(topics.file(tables.ANNOTATION_FILE), tables.TOPICS, ROWS, ("id", "topic"))
    rows = (row for batch in batches for row in batch.to_pylist())
    for document, row in zip_longest(documents(corpus), rows):
        if document is None or row is None or document.id != row["id"]:
            raise SchemaError(f"{topics.id} is an annotation of other documents than {corpus.id} holds.")
        yield document, row["topic"]


class Tally(Counter[str]):
    """The figures of a stage that makes a corpus; those of its shards add up to those of the stage."""

    def checked(self, stage: str, read: int, out: Path) -> Mapping[str, int]:
        """Return the figures, in order; `read` is the number of documents that the stage was given.

        `out` is the finished corpus.

        Raises:
            RegraftError: kept, rejected and left do not add up to what was read, or nothing was kept; then the message
                shows a document that was rejected for the most frequent reason.
        """
        kept, rejected, left = (self[key] for key in ("documents", "rejected", "other_part"))
        if kept + rejected + left != read:
            raise RegraftError(
                f"{stage} read {read} documents, but kept {kept}, rejected {rejected} and left {left} to another part."
            )
        reasons = {key: count for key, count in sorted(self.items()) if "." in key}
        if not kept:
            what = f"{reasons}.{_example(out, self)}" if rejected else "the input is empty."
            raise RegraftError(f"{stage} read {read} documents and kept none: {what}")
        plain = {key: self[key] for key in ("documents", "rejected", "bytes")}
        return {"documents_read": read, **plain, **({"other_part": left} if left else {}), **reasons}


def rejects(corpus: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of what a corpus rejected, in order; none where it has no such tables."""
    for path in sorted((corpus / tables.REJECTS_FOLDER).glob("*.parquet")):
        for batch in tables.batches(path, tables.REJECTS, ROWS):
            yield from batch.to_pylist()


def rejected_as(row: Mapping[str, Any]) -> str:
    """Return a row of `tables.REJECTS` as a line to read: which document, what was found, and how its text begins."""
    text = " ".join(row["excerpt"].split())
    shown = text if len(text) <= LINE else text[: LINE - 2] + " …"
    detail = f" ({row['detail']})" if row["detail"] else ""
    return f"{row['id']}{detail}: {shown}"


def _example(out: Path, tally: Mapping[str, int]) -> str:
    """Return lines with the first document that was rejected for the most frequent reason, and how to see more."""
    most = max(sorted(key for key in tally if key.startswith("rejected.")), key=tally.__getitem__)
    reason = most.removeprefix("rejected.")
    first = next((row for row in rejects(out) if row["reason"] == reason), None)
    return f"\nFor instance, as {reason}: {rejected_as(first)}\n`regraft rejects` shows more." if first else ""


class CorpusWriter:
    """Writes a corpus into a folder, in the order of the calls; a new shard begins when one is full.

    With `shard` it writes exactly one, of that name; else their names count up after `prefix`.
    """

    def __init__(self, out: Path, stage: str, shard: str = "", prefix: str = "") -> None:
        self.out, self.stage, self.shard, self.prefix = out, stage, shard, prefix
        self.tally = Tally()
        self._number = 0
        self._open()

    def keep(self, document: Document) -> None:
        """Write a document."""
        if not self.shard and self._size >= SHARD_BYTES:
            self._close()
            self._number += 1
            self._open()
        size = len(document.text.encode())
        self.tally.update({"documents": 1, "bytes": size, f"language.{document.language or 'unknown'}": 1})
        self._size += size
        self._kept.add(document.row())

    def reject(self, id_: str, source: str, reject: Reject, text: str) -> None:
        """Note that a document is dropped; `id_` is `file:line` for what never became a document."""
        self.tally.update({"rejected": 1, f"rejected.{reject.reason}": 1})
        self._rejected.add(reject_row(id_, source, self.stage, reject, text))

    def put(self, document: Document, outcome: Outcome) -> None:
        """Keep what a kernel made of a document, or note why it dropped it."""
        match outcome:
            case Reject():
                self.reject(document.id, document.source, outcome, document.text)
            case Changed():
                self.tally["changed.documents"] += 1
                self.tally.update({f"changed.{what}": count for what, count in outcome.counts.items()})
                self.keep(outcome.document)
            case Document():
                self.keep(outcome)

    def leave(self) -> None:
        """Count a document that belongs elsewhere: nothing is wrong with it, it is just not written here."""
        self.tally["other_part"] += 1

    def __enter__(self) -> "CorpusWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _open(self) -> None:
        name = self.shard or f"{self.prefix}{self._number:05}"
        self._size = 0
        self._kept = RowWriter(tables.Writer(self.out / tables.DOCUMENTS_FOLDER / f"{name}.parquet", tables.DOCUMENTS))
        self._rejected = RowWriter(tables.Writer(self.out / tables.REJECTS_FOLDER / f"{name}.parquet", tables.REJECTS))

    def _close(self) -> None:
        self._kept.close()
        self._rejected.close()


class RowWriter:
    """Collects rows and writes them `ROWS` at a time."""

    def __init__(self, writer: tables.Writer) -> None:
        self.writer = writer
        self._waiting: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        self._waiting.append(row)
        if len(self._waiting) == ROWS:
            self._flush()

    def close(self) -> None:
        if self._waiting:
            self._flush()
        self.writer.__exit__(None, None, None)

    def _flush(self) -> None:
        self.writer.write_rows(self._waiting)
        self._waiting = []
