"""How deep the elements of a page lie inside each other, before anything is parsed.

Parsers and extractors answer hostile or broken pages with time, and memory, that grows with the number of elements
around each piece of text: they look through the text of each element in turn, and elements that are never closed are
opened anew in every paragraph. The tags tell in one pass how much that will be.
"""

from dataclasses import dataclass

from regraft.curation.extraction.markup import tags

_UNCOUNTED = frozenset(
    (
        *(
            "area",
            "base",
            "br",
            "col",
            "embed",
            "hr",
            "img",
            "input",
            "link",
            "meta",
            "param",
            "source",
            "track",
            "wbr",
        ),
        *("html", "head", "body", "p", "li", "dt", "dd", "option", "caption", "colgroup"),  # end without an end tag
        *("tr", "td", "th", "thead", "tbody", "tfoot"),
        "a",  # never lies inside itself
    )
)
"""Elements that do not get deeper by themselves."""
TAG = 20
"""Characters that a tag counts for at least, since it becomes an element."""


@dataclass(frozen=True, slots=True)
class Nesting:
    """How elements lie inside each other."""

    depth: int
    """Of the deepest element."""
    work: int
    """Sum over the characters of the page of the elements around each."""


def nesting(page: str, max_depth: int, max_work: int) -> Nesting:
    """Return how deep an HTML page is; no further than to where it goes beyond a bound.

    An end tag that is not that of the innermost element counts as one level more for what it takes away: a parser may
    ignore it. So badly nested pages count as too deep rather than too flat, and the time is linear in the page.
    """
    inside: list[str] = []
    astray = deepest = depth = work = last = 0
    for match in tags(page):
        end = match.end()
        work += depth * (end - last if end - last > TAG else TAG)
        last = end
        name = match["name"]
        if name is None or (name := name.lower()) in _UNCOUNTED or (_closes_itself(page, end) and _foreign(inside)):
            continue
        if not match["end"]:
            inside.append(name)
        elif inside and inside[-1] == name:
            inside.pop()
        elif name in inside:
            del inside[-1 - inside[::-1].index(name)]
            astray += 1
        depth = len(inside) + astray
        if depth > deepest:
            deepest = depth
        if deepest > max_depth or work > max_work:
            break
    return Nesting(deepest, work + (len(page) - last) * depth)


def _closes_itself(page: str, end: int) -> bool:
    """Return whether the tag that ends there does so with `/>`."""
    return page[end - 2] in "/ \n\r\t" and page[max(0, end - 64) : end - 1].rstrip().endswith("/")


def _foreign(inside: list[str]) -> bool:
    """Return whether `<path/>` is a whole element here."""
    return "svg" in inside or "math" in inside
