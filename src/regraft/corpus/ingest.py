"""Raw files become a corpus. What cannot be read becomes a reject with its file and place."""

import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from regraft.core import ConfigError, Context, Kind, Metrics, RawFiles, optional, stage
from regraft.corpus.columnar import ArrowTable, ParquetTable
from regraft.corpus.jsonlines import JsonLines
from regraft.corpus.pages import HtmlPages
from regraft.corpus.plaintext import PlainText
from regraft.corpus.readers import Reader
from regraft.corpus.warc import WarcPages

if TYPE_CHECKING:
    from regraft.corpus.reading import Group

__all__ = [
    "ArrowTable",
    "HtmlPages",
    "IngestConfig",
    "JsonLines",
    "ParquetTable",
    "PlainText",
    "Reader",
    "WarcPages",
    "ingest",
]

GROUP_BYTES = 64 * 1024**2
GROUP_FILES = 1000
"""Raw bytes and files that one worker reads before it commits: what a crash can cost, but for a single large file."""

_LANGUAGE = re.compile("[a-z]{2,3}")  # three letters where ISO 639-1 has no code

Named = Sequence[tuple[str, Path]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """Which raw files, and how texts are found in them."""

    source: str
    """Name of the source, by which shares and figures are told apart."""
    reader: Reader
    language: str = ""
    """ISO 639-1 of the documents whose record does not say it; empty when unknown."""
    format: Literal["", "text", "html", "code"] = ""
    """What the texts are, kept in `meta` where the reader does not say it; `extract_text` turns html into text."""
    files: RawFiles | None = None
    """Files of the user; or `members`."""
    members: str = ""
    """A glob over the files of the artifact given as `files`; `*` matches `/` too."""
    sample: int = 0
    """For a dry run: read about so many records, the first ones of files spread evenly over the list; 0 for all."""

    def __post_init__(self) -> None:
        if not self.source:
            raise ConfigError("source is empty; name it.")
        if bool(self.members) == (self.files is not None):
            raise ConfigError(f"files is {self.files} and members {self.members!r}; give one of them.")
        if self.language and not _LANGUAGE.fullmatch(self.language):
            raise ConfigError(f"language is {self.language!r}; give its code in ISO 639, such as 'en' or 'zh'.")
        if self.sample < 0:
            raise ConfigError(f"sample is {self.sample}; it is a count, 0 for all.")


@stage(version=3, makes=Kind.CORPUS, files=optional(Kind.FILES))
def ingest(config: IngestConfig, ctx: Context) -> Metrics:
    """Write one document for each text, in the order of file names and of texts inside a file.

    Raises:
        ConfigError: no such input, or no file in it matches.
        RegraftError: not one text could be read.
    """
    from regraft.corpus.dataflow import collect, each
    from regraft.corpus.reading import ReadFiles

    files, limit = spread(_files(config, ctx), config.sample)
    work = ReadFiles(
        source=config.source, reader=config.reader, language=config.language, format=config.format, limit=limit
    )
    done = each(work, {group.prefix.rstrip("-"): group for group in groups(files)}, ctx, "ingest", "groups of files")
    metrics = collect(done, ctx, "ingest", sum(piece.counts["read"] for piece in done.values()))
    return {"files": len(files), **metrics}


def spread(files: Named, sample: int) -> tuple[Named, int]:
    """Return the files to read for about `sample` records, and how many to read of each; 0 stands for all."""
    if not sample:
        return files, 0
    number = min(len(files), sample)
    return [files[i * len(files) // number] for i in range(number)], -(-sample // number)


def groups(files: Named) -> "Iterator[Group]":
    """Yield the files in groups of bounded size, in order; a larger file is a group of its own."""
    from regraft.corpus.reading import Group

    waiting: list[tuple[str, str]] = []
    size = number = 0
    for name, path in files:
        more = path.stat().st_size
        if waiting and (size + more > GROUP_BYTES or len(waiting) == GROUP_FILES):
            yield Group(f"{number:06}-", waiting)
            waiting, size, number = [], 0, number + 1
        waiting.append((name, str(path)))
        size += more
    yield Group(f"{number:06}-", waiting)


def _files(config: IngestConfig, ctx: Context) -> Named:
    """Return name and path of each raw file, in order of names."""
    if config.files is not None:
        return [(file.name, ctx.located[file]) for file in config.files.files]
    artifact = ctx.optional("files")
    if artifact is None:
        raise ConfigError(f"members is {config.members!r}, but the step has no input `files`; wire one.")
    names = sorted(file.path for file in artifact.manifest.files if fnmatch.fnmatchcase(file.path, config.members))
    if not names:
        raise ConfigError(f"{artifact.id} holds no file that matches {config.members!r}.")
    return [(name, artifact.file(name)) for name in names]
