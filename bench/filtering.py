"""Verdicts of our filters on documents, one JSON line a document: "" or why it is dropped.

The counterpart of `peers/datatrove_filters.py`: the same filters in the same order, from and to the same files.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from regraft.corpus.document import Document, Reject
from regraft.curation.filters.chain import C4, Chain, Filter, FineWeb, GopherQuality, GopherRepetition
from regraft.curation.filters.view import View

FILTERS: Mapping[str, Filter] = {
    "GopherQuality": GopherQuality(),
    "GopherRepetition": GopherRepetition(),
    "C4": C4(),
    "FineWeb": FineWeb(),
}
CHAIN = Chain(tuple(FILTERS.values()), tuple(FILTERS))


def together(text: str) -> str:
    """Return the reason of the first filter that drops a text, each on what the one before left."""
    outcome = CHAIN(Document(id="", text=text, source=""))
    return outcome.reason if isinstance(outcome, Reject) else ""


def apart(text: str, words: Sequence[str] | None = None) -> dict[str, str]:
    """Return the reason of each filter by itself; with the words of another split, if they are given."""
    view = View(text)
    if words is not None:
        view.__dict__.update(words=words, num_cjk=0)  # the other split knows no CJK characters
    outcomes = {name: filter_.check(Document(id="", text=text, source=""), view) for name, filter_ in FILTERS.items()}
    return {name: outcome.reason if isinstance(outcome, Reject) else "" for name, outcome in outcomes.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="JSON lines with text")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines")
    given = parser.parse_args()
    with given.texts.open(encoding="utf-8") as lines, given.out.open("w", encoding="utf-8") as out:
        for line in lines:
            out.write(json.dumps(together(json.loads(line)["text"])) + "\n")
