"""JSON lines: one object a line, plain or compressed."""

import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from regraft.corpus.compression import decompressed
from regraft.corpus.fields import Fields
from regraft.corpus.readers import Record, Unreadable, bounded_lines, too_large, unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLines(Fields):
    """One JSON object a line. Empty lines are passed over; a line that is no object is rejected."""

    def records(self, name: str, file: BinaryIO) -> Iterator[Record | Unreadable]:
        for number, line in enumerate(bounded_lines(decompressed(name, file), self.max_bytes), start=1):
            place = f"{name}:{number}"
            if line is None:
                yield too_large(place, self.max_bytes)
            elif found := (line.removeprefix(BOM_UTF8) if number == 1 else line).strip():
                yield self._record(place, found)

    def _record(self, place: str, line: bytes) -> Record | Unreadable:
        try:
            row = _parsed(line)
            if isinstance(row, dict):
                return self.record(place, row)
        except UnicodeError as error:
            return unreadable(place, "encoding", error, line)
        except (ValueError, RecursionError) as error:  # broken, a number of 5,000 digits, or nested without end
            return unreadable(place, "broken_json", error, line)
        return unreadable(place, "missing_field", f"a {type(row).__name__}, not an object", line)


def _parsed(line: bytes) -> Any:
    """Parse a line: five times as fast as the standard library, which has the last word where a line is refused.

    It takes NaN, which others write, and says what is wrong. Half a surrogate pair, which JSON can spell and UTF-8
    cannot, raises UnicodeError.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        row = json.loads(line.decode())
        json.dumps(row, ensure_ascii=False).encode()
        return row
