"""The work of `ingest`: the records of a group of raw files become documents and rejects, in shards of bounded size."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from regraft.corpus.compression import BrokenStream
from regraft.corpus.document import Document, Reject, document_id, meta_json
from regraft.corpus.readers import Reader, Record, Unreadable, unreadable
from regraft.corpus.rows import CorpusWriter
from regraft.corpus.work import Counts, Lifeline

REMEMBERED = 2**18
"""Records of one file among which equal texts are told apart by number; the next ones begin anew."""
_BLANK = " \t\r\n\0\ufeff"


@dataclass(frozen=True, slots=True)
class Group:
    """Files that follow each other in the corpus, and the beginning of the names of the shards that they become."""

    prefix: str
    files: Sequence[tuple[str, str]]
    """Name and path of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFiles:
    """Reads a group of files. A file on which workers die is given up there; what was read of it before is kept."""

    source: str
    reader: Reader
    language: str
    format: str
    limit: int
    """Records to read of a file; 0 for all."""

    def __call__(self, item: Group, out: Path) -> Counts:
        lifeline, read, places = Lifeline(out), 0, count()
        with CorpusWriter(out, "ingest", prefix=item.prefix) as writer:
            for name, path in item.files:
                make = _Maker(self, name)
                for record in _watched(self._records(name, Path(path)), name, lifeline, places):
                    self._put(writer, make, record)
                    read += 1
        lifeline.cut()
        return {**writer.tally, "read": read}

    def _put(self, writer: CorpusWriter, make: "_Maker", record: Record | Unreadable) -> None:
        if isinstance(record, Unreadable):
            writer.reject(record.place, self.source, record.reject, record.excerpt)
        elif not record.text.strip().strip(_BLANK):
            writer.reject(record.place, self.source, Reject("empty"), record.text)
        else:
            writer.keep(make(record))

    def _records(self, name: str, path: Path) -> Iterator[Record | Unreadable]:
        """Yield the records of a file, and where it breaks; a file without any is one that is empty."""
        size, read = path.stat().st_size, 0
        with path.open("rb") as file:
            try:
                for record in islice(self.reader.records(name, file) if size else (), self.limit or None):
                    read += 1
                    yield record
            except BrokenStream as error:
                yield unreadable(f"{name}:byte {error.offset}", "broken_stream", f"{error}, after {read} records")
                return
        if not read:
            yield unreadable(name, "empty_file", f"no record in {size:,} bytes")


class _Maker:
    """Makes the documents of one file."""

    def __init__(self, config: ReadFiles, name: str) -> None:
        self.config, self.name = config, name
        self.said = {"file": name, **({"format": config.format} if config.format else {})}
        self.read, self.ids = 0, Counter[str]()

    def __call__(self, record: Record) -> Document:
        return Document(
            id=self._id(record),
            text=record.text,
            source=self.config.source,
            language=record.language or self.config.language,
            meta=meta_json({**self.said, **record.meta}),
        )

    def _id(self, record: Record) -> str:
        """Return the id; the same text once more in one file gets another one."""
        era, number = divmod(self.read, REMEMBERED)
        self.read += 1
        if not number:
            self.ids.clear()
        origin = f"{self.name}:{record.key}" if record.key else self.name
        origin += f"@{era}" if era else ""
        id_ = document_id(self.config.source, origin, record.text)
        self.ids[id_] += 1
        times = self.ids[id_]
        return id_ if times == 1 else document_id(self.config.source, f"{origin}#{times}", record.text)


def _watched(
    records: Iterator[Record | Unreadable], name: str, lifeline: Lifeline, places: Iterator[int]
) -> Iterator[Record | Unreadable]:
    """Yield the records, noting before each that it is worked on; where workers died the file is given up."""
    deadly = lifeline.deadly
    for place in places:
        if place in deadly:
            yield unreadable(
                name, "worker_died", "twice at this place: a crash, or out of memory; the rest is not read"
            )
            return
        lifeline.say(place)
        record = next(records, None)
        if record is None:
            return
        yield record
