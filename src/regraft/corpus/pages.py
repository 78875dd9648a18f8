"""HTML pages: one a file. The text is the page's source; `extract_text` finds the content later."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from regraft.core import ConfigError
from regraft.corpus.compression import decompressed
from regraft.corpus.readers import Record, Unreadable, too_large, unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlPages:
    """One page a file."""

    max_bytes: int = 4 * 1024**2
    """Of a page; a longer one is rejected."""

    def __post_init__(self) -> None:
        if self.max_bytes < 1:
            raise ConfigError(f"max_bytes is {self.max_bytes}; give a positive size.")

    def records(self, name: str, file: BinaryIO) -> Iterator[Record | Unreadable]:
        data = decompressed(name, file).read(self.max_bytes + 1)
        yield too_large(name, self.max_bytes) if len(data) > self.max_bytes else page_record(name, data)


def page_record(place: str, data: bytes, charset: str = "", **meta: str) -> Record | Unreadable:
    """Return the record of a page; `charset` is what the server said of it."""
    try:
        text = decoded(data, charset)
    except (UnicodeDecodeError, LookupError) as error:
        return unreadable(place, "encoding", error, data)
    if "\0" in text:
        return unreadable(place, "binary", "zero bytes, which no page has", data)
    return Record(place=place, text=text, meta={"format": "html", **meta})


def decoded(data: bytes, charset: str = "") -> str:
    """Decode a page as UTF-8, else as the server said, else as it says or looks like; nothing is replaced.

    Raises:
        UnicodeDecodeError, LookupError: it is none of these.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        from resiliparse.parse.encoding import (  # pyright: ignore[reportMissingModuleSource]
            detect_encoding,
            map_encoding_to_html5,
        )

        if known := map_encoding_to_html5(charset, fallback_utf8=False) if charset else None:
            try:
                return data.decode(known)
            except (UnicodeDecodeError, LookupError):
                pass
        return data.decode(detect_encoding(data, from_html_meta=True) or "utf-8")
