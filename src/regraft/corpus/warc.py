"""WARC archives, as crawlers write them: the HTML pages among the responses, each with its address and date.

A compressed archive is read member by member, usually one a record, so that a corrupt member loses itself and nothing
else, and the byte offset of a page is the one by which other tools find it. FastWARC decodes what the server sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import BinaryIO

from regraft.core import ConfigError
from regraft.corpus.archive import LINE, VERSION, Archive, Block, BrokenRecord
from regraft.corpus.compression import BUFFER, BrokenStream, Codec, Inflated, codec_of
from regraft.corpus.document import Reject
from regraft.corpus.pages import page_record
from regraft.corpus.readers import Record, Unreadable, too_large, unreadable

PAGES = ("text/html", "application/xhtml+xml")


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
        archive = Archive(file, self.max_bytes + LINE)
        for block in archive:
            yield self._page(f"{name}:byte {archive.start}", block)

    def _members(self, name: str, file: BinaryIO, codec: Codec) -> Iterator[Record | Unreadable]:
        """Read the members of a compressed archive; after a broken one go on at the next that can be told."""
        start: int | None = 0
        while start is not None:
            member = Inflated(file, codec, start, single=True)
            archive = Archive(BufferedReader(member, BUFFER), self.max_bytes + LINE)
            try:
                for number, block in enumerate(archive):
                    record = f" record {number}" if number else ""
                    yield self._page(f"{name}:byte {member.start}{record}", block)
                start = member.end if member.end > start else None
            except BrokenStream as error:
                yield unreadable(f"{name}:byte {error.offset}", "broken_stream", error)
                start = _find(file, codec, error.offset + 1)

    def _page(self, place: str, found: Block | BrokenRecord) -> Record | Unreadable:
        if isinstance(found, BrokenRecord):
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
        return BufferedReader(Inflated(file, codec, start, single=True)).read(len(VERSION)) == VERSION
    except BrokenStream:
        return False
