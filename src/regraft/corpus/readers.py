"""From the bytes of a raw file to texts: what every reader shares. Each reader has a file of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from regraft.corpus.document import Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A text in a raw file."""

    place: str
    """`file`, `file:line` or `file:row`, and the byte offset in a WARC archive."""
    text: str
    key: str = ""
    """Its own id, if it has one."""
    language: str = ""
    """As the file says it; empty when it does not."""
    meta: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A place in a raw file where a text should be."""

    place: str
    reject: Reject
    excerpt: str = ""


class Reader(Protocol):
    """Finds the texts in a raw file."""

    def records(self, name: str, file: BinaryIO) -> Iterator[Record | Unreadable]:
        """Yield what the file holds, in order; `name` is the file's name below its root.

        `file` holds the raw bytes, seekable; a reader of streams passes it through `decompressed`. Where a stream
        is broken it may raise `BrokenStream`, which becomes an `Unreadable` of the file.
        """
        ...


def bounded_lines(file: BinaryIO, limit: int) -> Iterator[bytes | None]:
    """Yield each line, None for one of more than `limit` bytes, which is skipped without being held in memory."""
    while line := file.readline(limit + 1):
        if len(line) <= limit or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(limit)) and not rest.endswith(b"\n"):
            pass
        yield None


def too_large(place: str, limit: int) -> Unreadable:
    """Say that what stands at a place is over its bound."""
    return Unreadable(place=place, reject=Reject("too_large", f"more than {limit:,} bytes"))


def unreadable(place: str, reason: str, error: object, data: bytes = b"") -> Unreadable:
    """Say why a place cannot be read, with the beginning of what stands there."""
    excerpt = data[:400].decode("utf-8", errors="replace")
    return Unreadable(place=place, reject=Reject(reason, str(error)), excerpt=excerpt)
