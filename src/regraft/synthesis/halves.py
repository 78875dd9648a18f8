"""Where the solution begins in the text of a document that holds a problem and its solution."""

import json

from regraft.corpus.document import Document
from regraft.synthesis.pairs import Pair, parse_pair

START = "solution_start"
"""In the `meta` of a pair: characters before its solution."""


def solution_start(document: Document) -> int:
    """Return how many characters stand before the solution; 0 where no solution can be told from its problem.

    It is what `meta` says; else after a heading such as `Solution:`; else after the blank line, where there is but one.
    """
    given = json.loads(document.meta).get(START, "")
    if str(given).isdecimal():
        return int(given) if int(given) < len(document.text) else 0
    pair = parse_pair(document.text)
    if isinstance(pair, Pair):
        return max(document.text.rfind(pair.solution), 0)
    paragraphs = document.text.strip().split("\n\n")
    return document.text.rfind(paragraphs[1]) if len(paragraphs) == 2 else 0


def halves(document: Document) -> Pair | None:
    """Return the problem and the solution of a document, without headings; None where they cannot be told apart."""
    start = solution_start(document)
    problem, solution = document.text[:start].strip(), document.text[start:].strip()
    if not problem or not solution:
        return None
    parsed = parse_pair(document.text)
    return parsed if isinstance(parsed, Pair) else Pair(problem=problem, solution=solution)
