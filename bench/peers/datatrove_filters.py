"""Verdicts of datatrove's filters on documents, one JSON line a document: "" or why it is dropped.

Gopher quality, Gopher repetition, C4 and FineWeb with their defaults, in this order, each on what the one before left.
"""

import argparse
import json
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.utils.text import split_into_words


def filters() -> dict[str, BaseFilter]:
    return {
        "GopherQuality": GopherQualityFilter(),
        "GopherRepetition": GopherRepetitionFilter(),
        "C4": C4QualityFilter(),
        "FineWeb": FineWebQualityFilter(),
    }


def verdict(filter_: BaseFilter, document: Document) -> str:
    """Return "" for a document that stays; a document without words, on which some fail, is dropped."""
    try:
        outcome = filter_.filter(document)
    except (ZeroDivisionError, FloatingPointError):
        return "error"
    return "" if outcome is True else outcome[1]


def together(chain: dict[str, BaseFilter], text: str) -> str:
    document = Document(text=text, id="")
    return next((why for filter_ in chain.values() if (why := verdict(filter_, document))), "")


def apart(chain: dict[str, BaseFilter], text: str) -> dict[str, str]:
    return {name: verdict(filter_, Document(text=text, id="")) for name, filter_ in chain.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="JSON lines with text")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines")
    parser.add_argument("--what", choices=("together", "apart", "words"), default="together")
    given = parser.parse_args()
    chain = filters()
    with given.texts.open(encoding="utf-8") as lines, given.out.open("w", encoding="utf-8") as out:
        for line in lines:
            text = json.loads(line)["text"]
            match given.what:
                case "together":
                    found: object = together(chain, text)
                case "apart":
                    found = apart(chain, text)
                case _:
                    found = split_into_words(text)
            out.write(json.dumps(found) + "\n")
