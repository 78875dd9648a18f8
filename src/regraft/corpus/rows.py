"""Read and write a corpus: kept documents and rejects beside each other, counted, in row groups of one size.

A row group holds `ROWS` rows however the rows arrive, so that the same documents give the same bytes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from regraft.core import RegraftError
from regraft.corpus import tables
from regraft.corpus.document import Document, Reject, reject_row

ROWS = 1000


def documents(paths: Iterable[Path]) -> Iterator[Document]:
    """Yield the documents of some tables, in order."""
    for path in paths:
        for batch in tables.batches(path, tables.DOCUMENTS, ROWS):
            yield from (Document(**row) for row in batch.to_pylist())


class CorpusWriter:
    """Writes `documents.parquet` and `rejects.parquet` into a folder, in the order of the calls."""

    def __init__(self, out: Path, stage: str) -> None:
        self.stage, self.bytes, self.left, self.reasons = stage, 0, 0, Counter[str]()
        self._kept = _Grouped(tables.Writer(out / tables.DOCUMENTS_FILE, tables.DOCUMENTS))
        self._rejected = _Grouped(tables.Writer(out / tables.REJECTS_FILE, tables.REJECTS))

    @property
    def kept(self) -> int:
        return self._kept.rows

    @property
    def rejected(self) -> int:
        return self._rejected.rows

    def keep(self, document: Document) -> None:
        self.bytes += len(document.text.encode())
        self._kept.add(document.row())

    def reject(self, id_: str, source: str, reject: Reject, text: str) -> None:
        """Note that a document is dropped; `id_` is `file:line` for what never became a document."""
        self.reasons[reject.reason] += 1
        self._rejected.add(reject_row(id_, source, self.stage, reject, text))

    def put(self, document: Document, outcome: Document | Reject) -> None:
        """Keep what a kernel made of a document, or note why it dropped it."""
        if isinstance(outcome, Reject):
            self.reject(document.id, document.source, outcome, document.text)
        else:
            self.keep(outcome)

    def leave(self) -> None:
        """Count a document that belongs elsewhere: nothing is wrong with it, it is just not written here."""
        self.left += 1

    def metrics(self, read: int) -> Mapping[str, int]:
        """Return the figures of the stage; `read` is the number of rows that its input has.

        Raises:
            RegraftError: kept, rejected and left do not add up to what was read, or nothing was kept.
        """
        reasons = {f"rejected.{reason}": count for reason, count in sorted(self.reasons.items())}
        if self.kept + self.rejected + self.left != read:
            raise RegraftError(
                f"{self.stage} read {read} documents, but kept {self.kept}, rejected {self.rejected} "
                f"and left {self.left} to another part."
            )
        if not self.kept:
            raise RegraftError(f"{self.stage} read {read} documents and kept none: {reasons or 'the input is empty'}.")
        return {
            "documents_read": read,
            "documents": self.kept,
            "rejected": self.rejected,
            "bytes": self.bytes,
            **({"other_part": self.left} if self.left else {}),
            **reasons,
        }

    def __enter__(self) -> "CorpusWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept.close()
        self._rejected.close()


class _Grouped:
    """Collects rows and writes them `ROWS` at a time."""

    def __init__(self, writer: tables.Writer) -> None:
        self.writer, self.rows = writer, 0
        self._waiting: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        self._waiting.append(row)
        self.rows += 1
        if len(self._waiting) == ROWS:
            self._flush()

    def close(self) -> None:
        if self._waiting:
            self._flush()
        self.writer.__exit__(None, None, None)

    def _flush(self) -> None:
        self.writer.write_rows(self._waiting)
        self._waiting = []
