"""From the bytes of a raw file to texts: each record or why it cannot be read, with its place."""

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from regraft.core import ConfigError
from regraft.corpus.document import Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A text in a raw file."""

    place: str
    """`file` or `file:line`."""
    text: str
    key: str = ""
    """Its own id, if it has one."""
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
        """Yield what the file holds, in order; `name` is the file's name below its root."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLines:
    """One JSON object a line."""

    text: str = "text"
    """Field of the text."""
    id: str = ""
    """Field of the id; empty: made from the text."""
    title: str = ""
    """Field of a title, kept in `meta`; empty: none."""
    max_bytes: int = 16 * 1024**2
    """Of a line; a longer one is rejected."""

    def __post_init__(self) -> None:
        if not self.text or self.max_bytes < 1:
            raise ConfigError(
                f"text is {self.text!r} and max_bytes {self.max_bytes}; name a field and a positive size."
            )

    def records(self, name: str, file: BinaryIO) -> Iterator[Record | Unreadable]:
        for number, line in enumerate(_bounded_lines(file, self.max_bytes), start=1):
            place = f"{name}:{number}"
            if line is None:
                yield _too_large(place, self.max_bytes)
            elif found := (line.removeprefix(BOM_UTF8) if number == 1 else line).strip():
                yield self._record(place, found)

    def _record(self, place: str, line: bytes) -> Record | Unreadable:
        try:
            row: Any = json.loads(line.decode())
            json.dumps(row, ensure_ascii=False).encode()  # JSON can spell half a surrogate pair, UTF-8 cannot
        except UnicodeError as error:
            return Unreadable(place=place, reject=Reject("encoding", str(error)), excerpt=_excerpt(line))
        except (ValueError, RecursionError) as error:  # broken, a number of 5,000 digits, or nested without end
            return Unreadable(place=place, reject=Reject("broken_json", str(error)), excerpt=_excerpt(line))
        fields: dict[str, Any] = row if isinstance(row, dict) else {}
        text = fields.get(self.text)
        if not isinstance(text, str):
            reject = Reject("missing_field", f"no text {self.text!r} in {sorted(fields) or type(row).__name__}")
            return Unreadable(place=place, reject=reject, excerpt=_excerpt(line))
        meta = {"title": str(fields.get(self.title, ""))} if self.title else {}
        return Record(place=place, text=text, key=str(fields.get(self.id, "")) if self.id else "", meta=meta)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainText:
    """One text a file, in UTF-8."""

    max_bytes: int = 16 * 1024**2
    """Of a file; a longer one is rejected."""

    def records(self, name: str, file: BinaryIO) -> Iterator[Record | Unreadable]:
        yield _whole_file(name, file, self.max_bytes, lambda data: data.decode("utf-8-sig"), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlPages:
    """One page a file. The text is its source; `extract_text` finds the content later."""

    max_bytes: int = 4 * 1024**2
    """Of a page; a longer one is rejected."""

    def records(self, name: str, file: BinaryIO) -> Iterator[Record | Unreadable]:
        yield _whole_file(name, file, self.max_bytes, _decode_page, {"format": "html"})


def _whole_file(
    name: str, file: BinaryIO, max_bytes: int, decode: Callable[[bytes], str], meta: Mapping[str, str]
) -> Record | Unreadable:
    data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        return _too_large(name, max_bytes)
    try:
        return Record(place=name, text=decode(data), meta=meta)
    except (UnicodeDecodeError, LookupError) as error:
        return Unreadable(place=name, reject=Reject("encoding", str(error)), excerpt=_excerpt(data))


def _decode_page(data: bytes) -> str:
    """Decode as UTF-8, else as what the page says or looks like; never with replacement characters."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        from resiliparse.parse.encoding import detect_encoding  # pyright: ignore[reportMissingModuleSource]

        return data.decode(detect_encoding(data, from_html_meta=True) or "utf-8")


def _bounded_lines(file: BinaryIO, limit: int) -> Iterator[bytes | None]:
    """Yield each line, None for one of more than `limit` bytes, which is skipped without being held in memory."""
    while line := file.readline(limit + 1):
        if len(line) <= limit or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(limit)) and not rest.endswith(b"\n"):
            pass
        yield None


def _too_large(place: str, limit: int) -> Unreadable:
    return Unreadable(place=place, reject=Reject("too_large", f"more than {limit:,} bytes"))


def _excerpt(data: bytes) -> str:
    return data[:400].decode("utf-8", errors="replace")
