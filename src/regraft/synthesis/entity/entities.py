"""The entities of a document, as a model lists them, and the pairs of them that are written about. Pure.

Source: EntiGraph (arXiv:2409.07431): entities of a document, then a text on the relation of each pair, which makes a
small corpus say the same things in many ways. That an entity must stand in the document is not in that paper.
"""

import json
import re
from itertools import combinations

from regraft.synthesis.draw import time
from regraft.synthesis.pairs import without_thought

MAX_LENGTH = 80
"""Characters of a name; what is longer is a sentence. Not in the paper."""
_ITEM = re.compile(r"(?m)^[ \t]*+(?:[-*•]|\d++[.)、])[ \t]*+[*_\"“]*+([^\n]{1,200}?)[*_\"”]*+[ \t]*+$")
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def parse_entities(answer: str, text: str, most: int) -> list[str]:
    """Return the first `most` names in what a model wrote that stand in `text`, in order, none twice.

    They may be a JSON array, also a broken or cut one, or a list with a name on each line. Case does not tell names
    apart.
    """
    known = text.casefold()
    found: dict[str, str] = {}
    for name in map(str.strip, _names(without_thought(answer))):
        if 1 < len(name) <= MAX_LENGTH and names(name.casefold(), known):
            found.setdefault(name.casefold(), name)
    return list(found.values())[:most]


def names(name: str, text: str) -> bool:
    """Return whether a name stands in a text as a word or words of its own; Chinese has no bounds of words."""
    first, last = (r"(?<!\w)" if name[0].isascii() else ""), (r"(?!\w)" if name[-1].isascii() else "")
    return re.search(f"(?a){first}{re.escape(name)}{last}", text) is not None


def _names(answer: str) -> list[str]:
    begin, end = answer.find("["), answer.rfind("]")
    try:
        listed = json.loads(answer[begin : end + 1])
        values = (value for item in listed for value in (item.values() if isinstance(item, dict) else (item,)))
        return [name for name in values if isinstance(name, str)]
    except (ValueError, TypeError, RecursionError):
        return _QUOTED.findall(answer) or _ITEM.findall(answer)


def pairs_of(entities: list[str], most: int, place: str, seed: int) -> list[tuple[str, str]]:
    """Return at most `most` pairs of different entities, drawn by seed and `place`; the first named goes first.

    A name that is a part of the other makes no pair: `cell` and `plant cell`.
    """
    apart = [
        (a, b)
        for a, b in combinations(entities, 2)
        if a.casefold() not in b.casefold() and b.casefold() not in a.casefold()
    ]
    return sorted(apart, key=lambda pair: time(seed, f"{place} {pair[0]} {pair[1]}", 1.0))[:most]
