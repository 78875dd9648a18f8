"""What is done to a document that holds too much of a benchmark item."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from regraft.corpus.document import Changed, Document, Outcome, Reject

if TYPE_CHECKING:
    from regraft.curation.contamination.verdicts import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Drops the document."""

    name = "drop"

    def apply(self, document: Document, finding: "Finding") -> Outcome:
        return Reject("contaminated", finding.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Cuts what was found out of the document, and what is around it; drops a document that would be in shreds.

    Source: arXiv:2005.14165 (GPT-3), appendix C: 200 characters on either side, pieces below 200 characters dropped,
    documents dropped that would be cut into more than 10 pieces [R].
    """

    name = "cut"
    window: int = 200
    min_characters: int = 200
    max_pieces: int = 10

    def apply(self, document: Document, finding: "Finding") -> Outcome:
        pieces = self.pieces(document.text, finding.spans)
        if len(pieces) > self.max_pieces:
            return Reject("contaminated", f"{finding.detail}; cutting it out leaves {len(pieces)} pieces")
        long = [piece for piece in pieces if len(piece) >= self.min_characters]
        if not long:
            return Reject("contaminated", f"{finding.detail}; cutting it out leaves nothing")
        text = "\n\n".join(long)
        return Changed(replace(document, text=text), {"characters": len(document.text) - len(text)})

    def pieces(self, text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
        """Return what is left outside the windows around the spans."""
        found: list[str] = []
        kept = 0
        for start, stop in spans:
            found.append(text[kept : max(start - self.window, kept)])
            kept = stop + self.window
        return [piece for piece in (*found, text[kept:]) if piece.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Leaves the corpus as it is: the table says which items to leave out when a benchmark is scored."""

    name = "flag"

    def apply(self, document: Document, finding: "Finding") -> Outcome:
        return document
