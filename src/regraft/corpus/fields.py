"""Which fields of a row are its text, its id and its properties: one mapping for JSON lines and for tables."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from regraft.core import ConfigError
from regraft.corpus.document import Reject
from regraft.corpus.readers import Record, Unreadable

NAMED = 20
"""Fields that are named where the one that is asked for is missing."""
_MISSING = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Names of fields. A dotted path leads into objects, and through lists to each of their items: `choices.text`."""

    text: str | tuple[str, ...] = "text"
    """The text, or several that are joined in this order; a list of texts is joined too."""
    separator: str = "\n"
    """Between the texts that are joined."""
    id: str = ""
    """The row's own id; empty: made from the text."""
    language: str = ""
    """The language, as the row spells it; empty: what the source says."""
    title: str = ""
    """A title, kept in `meta`; empty: none."""
    url: str = ""
    """An address, kept in `meta`; empty: none."""
    keep: tuple[str, ...] = ()
    """More fields that are kept in `meta`, under their own names; what is no text is kept as JSON."""
    max_bytes: int = 16 * 1024**2
    """Of a line of JSON or of the text in a table; what is longer is rejected."""

    def __post_init__(self) -> None:
        if not self.text or not all(self.paths) or self.max_bytes < 1:
            raise ConfigError(
                f"text is {self.text!r}, keep {self.keep!r} and max_bytes {self.max_bytes}; name fields and a positive "
                "size."
            )

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.text,) if isinstance(self.text, str) else self.text

    @property
    def kept(self) -> dict[str, str]:
        """Name in `meta` -> path."""
        named = {"title": self.title, "url": self.url}
        return {**{name: path for name, path in named.items() if path}, **{path: path for path in self.keep}}

    @property
    def paths(self) -> tuple[str, ...]:
        """All fields that are read."""
        more = [path for path in (self.id, self.language) if path]
        return (*self.texts, *more, *self.kept.values())

    def record(self, place: str, row: Mapping[str, Any]) -> Record | Unreadable:
        """Return the text of a row with what belongs to it, or which field is not there."""
        parts: list[str] = []
        for path in self.texts:
            found = list(_strings(_value(row, path)))
            if not found:
                reject = Reject("missing_field", f"no text {path!r} in {sorted(row)[:NAMED]}")
                return Unreadable(place=place, reject=reject, excerpt=str(row)[:400])
            parts += found
        return Record(
            place=place,
            text=parts[0] if len(parts) == 1 else self.separator.join(parts),
            key=_said(_value(row, self.id)) if self.id else "",
            language=_said(_value(row, self.language)) if self.language else "",
            meta=self._meta(row),
        )

    def _meta(self, row: Mapping[str, Any]) -> dict[str, str]:
        said = {name: _said(_value(row, path)) for name, path in self.kept.items()}
        return {name: value for name, value in said.items() if value}


def _value(row: Any, path: str) -> Any:
    """Return what stands at a path; a field whose own name has dots goes first."""
    if isinstance(row, list):
        return [_value(item, path) for item in row]
    if not isinstance(row, dict):
        return _MISSING
    if path in row:
        return row[path]
    head, dot, rest = path.partition(".")
    return _value(row[head], rest) if dot and head in row else _MISSING


def _strings(value: Any) -> Iterator[str]:
    """Yield the texts of a text or of a list; nothing where something is no text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        flat = [list(_strings(item)) for item in value]
        if all(flat):
            yield from (text for texts in flat for text in texts)


def _said(value: Any) -> str:
    if value is None or value is _MISSING:
        return ""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, default=str).decode()
    except TypeError:  # an integer of more than 64 bits, or nested deeper than orjson goes
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
