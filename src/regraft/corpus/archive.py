"""The records of a WARC archive, told apart: each response whole, or where the archive is broken.

This is FastWARC's work, but version 2.0.1 ends the process when a stream raises, and passes a cut record for a whole
one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import BinaryIO

from regraft.corpus.compression import BUFFER

VERSION = b"WARC/1."
"""How the first line of every record begins."""
LINE = 1 << 16
"""Bytes that a line may have, and the headers of a response beside its page."""
HEADER_LINES = 1000


class BrokenRecord(ValueError):
    """No record begins here, or the one that does is cut."""


@dataclass(frozen=True, slots=True)
class Block:
    """A response, not yet decoded; None where it is over its bound."""

    url: str
    date: str
    data: bytes | None


class Archive:
    """Iterates over the responses of an archive, and what is broken between them."""

    def __init__(self, file: BinaryIO | BufferedReader, limit: int) -> None:
        self.file, self.limit = file, limit
        self.start = 0
        """Offset of the record at hand."""
        self._at = self._resume = 0

    def __iter__(self) -> Iterator[Block | BrokenRecord]:
        first = self._line()
        while first:
            try:
                if first.strip():
                    yield from self._record(first)
                first = self._line()
            except BrokenRecord as error:
                yield error
                first = self._next_version()

    def _record(self, first: bytes) -> Iterator[Block]:
        self.start = self._at - len(first)
        if not first.startswith(VERSION):
            raise BrokenRecord(f"no record begins here, but {first[:40]!r}")
        self._resume = self._at
        headers = self._headers()
        self._resume = self._at
        said = headers.get(b"content-length", b"missing")
        if not said.isdigit():
            raise BrokenRecord(f"Content-Length is {said[:40]!r}")
        length = int(said[:18])
        wanted = headers.get(b"warc-type") == b"response" and length <= self.limit
        data = self._take(length, keep=wanted)
        if headers.get(b"warc-type") == b"response":
            url, date = (headers.get(key, b"").decode("utf-8", "replace") for key in (b"warc-target-uri", b"warc-date"))
            yield Block(url.strip("<>"), date, data if wanted else None)

    def _headers(self) -> dict[bytes, bytes]:
        headers: dict[bytes, bytes] = {}
        for _ in range(HEADER_LINES):
            line = self._line()
            if not line.endswith(b"\n"):
                raise BrokenRecord("the headers of the record are cut")
            if not line.strip():
                return headers
            key, _, value = line.partition(b":")
            headers[key.strip().lower()] = value.strip()
        raise BrokenRecord(f"more than {HEADER_LINES} lines of headers")

    def _take(self, length: int, keep: bool) -> bytes:
        """Read the block of a record; in pieces that are forgotten, unless it is to be kept."""
        parts: list[bytes] = []
        missing = length
        while missing > 0:
            part = self.file.read(min(missing, BUFFER))
            if not part:
                raise BrokenRecord(f"the record ends {missing:,} bytes before its {length:,} bytes are complete")
            missing -= len(part)
            self._at += len(part)
            parts += [part] if keep else []
        return b"".join(parts)

    def _next_version(self) -> bytes:
        """Return the line that begins the next record: after the headers of the last one, since its length may lie."""
        if self.file.seekable():
            self._at = self.file.seek(self._resume)
        while (line := self._line()) and not line.startswith(VERSION):
            pass
        return line

    def _line(self) -> bytes:
        line = self.file.readline(LINE)
        self._at += len(line)
        return line
