"""Plain text: a document a file, a paragraph or a line."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, Literal

from regraft.core import ConfigError
from regraft.corpus.compression import decompressed
from regraft.corpus.readers import Record, Unreadable, bounded_lines, too_large, unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainText:
    """Text in one encoding, plain or compressed."""

    per: Literal["file", "paragraph", "line"] = "file"
    """What becomes a document; paragraphs are set off by blank lines."""
    encoding: str = "utf-8"
    max_bytes: int = 16 * 1024**2
    """Of a document; a longer one is rejected."""

    def __post_init__(self) -> None:
        try:
            newline = codecs.encode("\n", self.encoding)
        except LookupError as error:
            raise ConfigError(f"encoding is {self.encoding!r}, which Python does not know.") from error
        if self.per != "file" and newline != b"\n":
            raise ConfigError(f"encoding is {self.encoding!r}, whose bytes cannot be cut into lines; use per='file'.")
        if self.max_bytes < 1:
            raise ConfigError(f"max_bytes is {self.max_bytes}; give a positive size.")

    def records(self, name: str, file: BinaryIO) -> Iterator[Record | Unreadable]:
        stream = decompressed(name, file)
        if self.per == "file":
            data = stream.read(self.max_bytes + 1)
            yield self._record(name, data if len(data) <= self.max_bytes else None)
            return
        lines = enumerate(bounded_lines(stream, self.max_bytes), start=1)
        for number, data in lines if self.per == "line" else _paragraphs(lines, self.max_bytes):
            if data is None or data.strip():
                yield self._record(f"{name}:{number}", data)

    def _record(self, place: str, data: bytes | None) -> Record | Unreadable:
        if data is None:
            return too_large(place, self.max_bytes)
        try:
            text = data.removeprefix(codecs.BOM_UTF8).decode(self.encoding)
        except UnicodeDecodeError as error:
            return unreadable(place, "encoding", error, data)
        if "\0" in text:
            return unreadable(place, "binary", "zero bytes, which no text has", data)
        return Record(place=place, text=text if self.per == "file" else text.strip("\r\n"))


def _paragraphs(lines: Iterator[tuple[int, bytes | None]], limit: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines between blank ones together, with the number of the first; None for those over the limit."""
    start, parts, size = 0, list[bytes](), 0
    for number, line in chain(lines, [(0, b"")]):
        if line is not None and not line.strip():
            if start:
                yield start, b"".join(parts) if size <= limit else None
            start, parts, size = 0, [], 0
        else:
            start = start or number
            size += limit + 1 if line is None else len(line)
            parts = parts if size <= limit else []
            parts.append(line or b"")
