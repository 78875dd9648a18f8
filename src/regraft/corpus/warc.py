"""WARC archives, as crawlers write them: the HTML pages among the responses, each with its address and date.

A compressed archive is read member by member, usually one a record, so that a corrupt member loses itself and nothing
else, and the byte offset of a page is the one by which other tools find it. FastWARC decodes what the server sent; the
records are told apart here, since FastWARC 2.0.1 ends the process when a stream raises, stops at the first corrupt
member, and passes a cut archive for a whole one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import BinaryIO

from regraft.core import ConfigError
from regraft.corpus.compression import BUFFER, BrokenStream, Codec, Inflated, codec_of
from regraft.corpus.document import Reject
from regraft.corpus.pages import page_record
from regraft.corpus.readers import Record, Unreadable, too_large, unreadable

PAGES = ("text/html", "application/xhtml+xml")
_VERSION = b"WARC/1."
_LINE = 1 << 16
_HEADER_LINES = 1000


class _BrokenRecord(ValueError):
    """No record begins here, or the one that does is cut."""


@dataclass(frozen=True, slots=True)
class _Block:
    """A response, not yet decoded; None where it is over its bound."""

    url: str
    date: str
    data: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WarcPages:
    """One page a response of status 200 and a type of HTML.

    Other responses are rejected with their status or type; requests, metadata and the like are passed over.
    """

    max_bytes: int = 4 * 1024**2
    """Of a page, as it was sent and decoded; a longer one is rejected."""

    def __post_init__(self) -> None:
        if self.max_bytes < 1:
            raise ConfigError(f"max_bytes is {self.max_bytes}; give a positive size.")

    def records(self, name: str, file: BinaryIO) -> Iterator[Record | Unreadable]:
        codec = codec_of(name)
        if codec is not None:
            yield from self._members(name, file, codec)
            return
        archive = _Archive(file, self.max_bytes + _LINE)
        for block in archive:
            yield self._page(f"{name}:byte {archive.start}", block)

    def _members(self, name: str, file: BinaryIO, codec: Codec) -> Iterator[Record | Unreadable]:
        """Read the members of a compressed archive; after a broken one go on at the next that can be told."""
        start: int | None = 0
        while start is not None:
            member = Inflated(file, codec, start, single=True)
            archive = _Archive(BufferedReader(member, BUFFER), self.max_bytes + _LINE)
            try:
                for number, block in enumerate(archive):
                    record = f" record {number}" if number else ""
                    yield self._page(f"{name}:byte {member.start}{record}", block)
                start = member.end if member.end > start else None
            except BrokenStream as error:
                yield unreadable(f"{name}:byte {error.offset}", "broken_stream", error)
                start = _find(file, codec, error.offset + 1)

    def _page(self, place: str, found: "_Block | _BrokenRecord") -> Record | Unreadable:
        if isinstance(found, _BrokenRecord):
            return unreadable(place, "broken_warc", found)
        if found.data is None:
            return too_large(place, self.max_bytes)
        try:
            status, type_, charset, body = _decoded(found.data, self.max_bytes + 1)
        except OSError as error:  # FastWARC's word for every fault of what it decodes
            return unreadable(place, "broken_http", error, found.data)
        if status != 200 or type_ not in PAGES:
            what = ("http_status", f"{status}") if status != 200 else ("not_html", type_ or "no type")
            return Unreadable(place=place, reject=Reject(*what), excerpt=found.url)
        if len(body) > self.max_bytes:
            return too_large(place, self.max_bytes)
        return page_record(place, body, charset, url=found.url, date=found.date)


class _Archive:
    """Iterates over the responses of an archive, and what is broken between them."""

    def __init__(self, file: BinaryIO | BufferedReader, limit: int) -> None:
        self.file, self.limit = file, limit
        self.start = 0
        """Offset of the record at hand."""
        self._at = self._resume = 0

    def __iter__(self) -> Iterator[_Block | _BrokenRecord]:
        first = self._line()
        while first:
            try:
                if first.strip():
                    yield from self._record(first)
                first = self._line()
            except _BrokenRecord as error:
                yield error
                first = self._next_version()

    def _record(self, first: bytes) -> Iterator[_Block]:
        self.start = self._at - len(first)
        if not first.startswith(_VERSION):
            raise _BrokenRecord(f"no record begins here, but {first[:40]!r}")
        self._resume = self._at
        headers = self._headers()
        self._resume = self._at
        try:
            length = int(headers[b"content-length"])
        except (KeyError, ValueError) as error:
            raise _BrokenRecord(f"Content-Length is {headers.get(b'content-length')!r}") from error
        wanted = headers.get(b"warc-type") == b"response" and 0 <= length <= self.limit
        data = self._take(length, keep=wanted)
        if headers.get(b"warc-type") == b"response":
            said = {key: headers.get(key, b"").decode("utf-8", "replace") for key in (b"warc-target-uri", b"warc-date")}
            yield _Block(said[b"warc-target-uri"].strip("<>"), said[b"warc-date"], data if wanted else None)

    def _headers(self) -> dict[bytes, bytes]:
        headers: dict[bytes, bytes] = {}
        for _ in range(_HEADER_LINES):
            line = self._line()
            if not line.endswith(b"\n"):
                raise _BrokenRecord("the headers of the record are cut")
            if not line.strip():
                return headers
            key, _, value = line.partition(b":")
            headers[key.strip().lower()] = value.strip()
        raise _BrokenRecord(f"more than {_HEADER_LINES} lines of headers")

    def _take(self, length: int, keep: bool) -> bytes:
        """Read the block of a record; in pieces that are forgotten, unless it is to be kept."""
        parts: list[bytes] = []
        missing = length
        while missing > 0:
            part = self.file.read(min(missing, BUFFER))
            if not part:
                raise _BrokenRecord(f"the record ends {missing:,} bytes before its {length:,} bytes are complete")
            missing -= len(part)
            self._at += len(part)
            parts += [part] if keep else []
        return b"".join(parts)

    def _next_version(self) -> bytes:
        """Return the line that begins the next record: after the headers of the last one, since its length may lie."""
        if self.file.seekable():
            self._at = self.file.seek(self._resume)
        while (line := self._line()) and not line.startswith(_VERSION):
            pass
        return line

    def _line(self) -> bytes:
        line = self.file.readline(_LINE)
        self._at += len(line)
        return line


def _decoded(block: bytes, limit: int) -> tuple[int | None, str, str, bytes]:
    """Return status, type, charset and the first `limit` bytes of the body of an HTTP response."""
    from fastwarc.warc import WarcRecord, WarcRecordType

    record = WarcRecord()
    record.record_type = WarcRecordType.response
    record.is_http = True
    record.set_bytes_content(block)
    record.parse_http(auto_decode="all")
    type_, charset = record.http_content_type or "", record.http_charset or ""
    return record.http_headers.status_code, type_.lower(), charset.strip("\"'"), record.reader.read(limit)


def _find(file: BinaryIO, codec: Codec, start: int) -> int | None:
    """Return the offset of the next member that opens as a WARC record, None when there is none."""
    found = _search(file, codec.magic, start)
    while found is not None and not _opens(file, codec, found):
        found = _search(file, codec.magic, found + 1)
    return found


def _search(file: BinaryIO, magic: bytes, start: int) -> int | None:
    file.seek(start)
    tail = b""
    while data := file.read(BUFFER):
        window = tail + data
        if (at := window.find(magic)) >= 0:
            return file.tell() - len(window) + at
        tail = window[1 - len(magic) :]
    return None


def _opens(file: BinaryIO, codec: Codec, start: int) -> bool:
    """Return whether what looks like the first bytes of a member is more than chance."""
    try:
        return BufferedReader(Inflated(file, codec, start, single=True)).read(len(_VERSION)) == _VERSION
    except BrokenStream:
        return False
