"""Raw files become a corpus. What cannot be read becomes a reject with its file and line."""

import fnmatch
import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from regraft.core import ConfigError, Context, Kind, Metrics, RawFiles, optional, stage
from regraft.corpus.document import Document, Reject, document_id, meta_json
from regraft.corpus.readers import HtmlPages, JsonLines, PlainText, Reader, Record, Unreadable

if TYPE_CHECKING:
    from regraft.corpus.rows import CorpusWriter

__all__ = ["HtmlPages", "IngestConfig", "JsonLines", "PlainText", "Reader", "ingest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """Which raw files, and how texts are found in them."""

    source: str
    """Name of the source, by which shares and figures are told apart."""
    reader: Reader
    language: str = ""
    """ISO 639-1 of all documents; empty when unknown."""
    files: RawFiles | None = None
    """Files of the user; or `members`."""
    members: str = ""
    """A glob over the files of the artifact given as `files`."""
    unique: bool = False
    """Drop texts that were read before, letter by letter."""
    max_documents: int = 0
    """Stop after so many are kept; 0 for all."""

    def __post_init__(self) -> None:
        if not self.source:
            raise ConfigError("source is empty; name it.")
        if bool(self.members) == (self.files is not None):
            raise ConfigError(f"files is {self.files} and members {self.members!r}; give one of them.")
        if self.max_documents < 0:
            raise ConfigError(f"max_documents is {self.max_documents}; it is a count, 0 for all.")


@stage(version=3, makes=Kind.CORPUS, files=optional(Kind.FILES))
def ingest(config: IngestConfig, ctx: Context) -> Metrics:
    """Write one document for each text, in the order of file names and of texts inside a file.

    Raises:
        ConfigError: no such input, or no file in it matches.
        RegraftError: not one text could be read.
    """
    from regraft.corpus.rows import CorpusWriter

    files = _files(config, ctx)
    read = 0
    with CorpusWriter(ctx.out, "ingest") as writer, ctx.track("ingest", len(files), "files") as ticker:
        take = _Take(config, writer)
        for name, path in files:
            for record in _records(config.reader, name, path):
                if config.max_documents and writer.tally["documents"] == config.max_documents:
                    break
                take(name, record)
                read += 1
            ticker.advance()
        return {"files": len(files), **writer.tally.checked("ingest", read)}


class _Take:
    """Turns records into documents or rejects.

    Remembers no more than it has to: all texts if they are to be unique, else the ids of the file at hand, since the
    ids of two files differ.
    """

    def __init__(self, config: IngestConfig, writer: "CorpusWriter") -> None:
        self.config, self.writer = config, writer
        self.texts: set[str] = set()
        self.file, self.ids = "", Counter[str]()

    def __call__(self, name: str, record: Record | Unreadable) -> None:
        if isinstance(record, Unreadable):
            self.writer.reject(record.place, self.config.source, record.reject, record.excerpt)
        elif reason := self._reason(record):
            self.writer.reject(record.place, self.config.source, Reject(reason), record.text)
        else:
            self.writer.keep(self._document(name, record))

    def _reason(self, record: Record) -> str:
        if not record.text.strip():
            return "empty"
        if not self.config.unique:
            return ""
        digest = document_id("", "", record.text)
        if digest in self.texts:
            return "repeated"
        self.texts.add(digest)
        return ""

    def _id(self, name: str, record: Record) -> str:
        """Return the id; the same text once more in one file gets another one."""
        origin = f"{name}:{record.key}" if record.key else name
        id_ = document_id(self.config.source, origin, record.text)
        if self.config.unique:
            return id_
        if name != self.file:
            self.file, self.ids = name, Counter()
        self.ids[id_] += 1
        times = self.ids[id_]
        return id_ if times == 1 else document_id(self.config.source, f"{origin}#{times}", record.text)

    def _document(self, name: str, record: Record) -> Document:
        return Document(
            id=self._id(name, record),
            text=record.text,
            source=self.config.source,
            language=self.config.language,
            meta=meta_json({"file": name, **record.meta}),
        )


def _files(config: IngestConfig, ctx: Context) -> Sequence[tuple[str, Path]]:
    """Return name and path of each raw file, in order of names."""
    if config.files is not None:
        return [(file.name, ctx.located[file]) for file in config.files.files]
    artifact = ctx.optional("files")
    if artifact is None:
        raise ConfigError(f"members is {config.members!r}, but the step has no input `files`; wire one.")
    names = [file.path for file in artifact.manifest.files if fnmatch.fnmatchcase(file.path, config.members)]
    if not names:
        raise ConfigError(f"{artifact.id} holds no file that matches {config.members!r}.")
    return [(name, artifact.file(name)) for name in names]


def _records(reader: Reader, name: str, path: Path) -> Iterator[Record | Unreadable]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        try:
            yield from reader.records(name, file)  # pyright: ignore[reportArgumentType]
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            yield Unreadable(place=name, reject=Reject("broken_gzip", str(error)))
