"""A document as kernels see it, and why a kernel drops one."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EXCERPT = 200
"""Characters of a rejected text that are kept."""
DETAIL = 1000
"""Characters of what was found that are kept: an error may quote the whole text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One row of a corpus."""

    id: str
    text: str
    source: str
    language: str = ""
    """ISO 639-1; empty when unknown."""
    parents: Sequence[str] = ()
    """Ids of the documents it was made from; empty for a natural document."""
    meta: str = "{}"
    """A JSON object."""

    def row(self) -> dict[str, Any]:
        """Return it as a row of `tables.DOCUMENTS`."""
        return {
            "id": self.id,
            "text": self.text,
            "source": self.source,
            "language": self.language,
            "parents": list(self.parents),
            "meta": self.meta,
        }


@dataclass(frozen=True, slots=True)
class Changed:
    """A document that a kernel changed, and what it did there: how many addresses it hid for instance."""

    document: Document
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reject:
    """Why a document is dropped: a short reason to count by, and what exactly was found."""

    reason: str
    detail: str = ""

    def __post_init__(self) -> None:
        if not self.reason:
            raise ValueError("A reject needs a reason.")


Outcome = Document | Changed | Reject
"""What a kernel makes of a document."""


def reject_row(id_: str, source: str, stage: str, reject: Reject, text: str) -> dict[str, Any]:
    """Return a row of `tables.REJECTS` with the beginning of the text."""
    return {
        "id": id_,
        "source": source,
        "stage": stage,
        "reason": reject.reason,
        "detail": reject.detail[:DETAIL],
        "excerpt": text[:EXCERPT],
    }


def document_id(source: str, origin: str, text: str) -> str:
    """Return 20 hexadecimal digits that depend on where a document comes from and what it says, not on its position."""
    return hashlib.sha256(json.dumps([source, origin, text]).encode("ascii")).hexdigest()[:20]


def meta_json(values: Mapping[str, str]) -> str:
    """Return the `meta` column of a document: one form for equal values."""
    return json.dumps(dict(values), sort_keys=True, ensure_ascii=False)
