"""How deep the elements of a page lie inside each other, before anything is parsed.

Parsers answer hostile or broken pages with time that grows with the square of the depth, or worse: 50,000 open `div`
take a minute. The tags tell the depth in one pass.
"""

import re

_MARKUP = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<script(?=[\s/>]).*?(?:</script(?=[\s/>])|\Z)"
    r"""|<(?P<end>/?)(?P<name>[a-z][^\s/>]*+)(?:[^>=]++|=\s*+(?:"[^"]*+"?+|'[^']*+'?+|[^\s>]*+))*+""",
    re.IGNORECASE | re.DOTALL,
)
"""Comments and scripts, whose tags are none, and tags up to their closing bracket; no part is read twice."""
_UNCOUNTED = re.compile(
    "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"  # never hold anything
    "|html|head|body|p|li|dt|dd|option|tr|td|th|thead|tbody|tfoot|colgroup|caption"  # end without an end tag
)
"""Elements that do not get deeper by themselves."""


def nested_deeper(page: str, limit: int) -> bool:
    """Return whether more than about `limit` elements of an HTML page lie inside each other.

    An end tag that is not that of the innermost element counts as one level more for what it takes away: a parser may
    ignore it. So badly nested pages count as too deep rather than too flat, and the time is linear in the page.
    """
    inside: list[str] = []
    astray = 0
    for match in _MARKUP.finditer(page):
        name = (match["name"] or "").lower()
        if not name or _UNCOUNTED.fullmatch(name) or (match[0].endswith("/") and _foreign(inside)):
            continue
        if not match["end"]:
            inside.append(name)
        elif inside and inside[-1] == name:
            inside.pop()
        elif name in inside:
            del inside[-1 - inside[::-1].index(name)]
            astray += 1
        if len(inside) + astray > limit:
            return True
    return False


def _foreign(inside: list[str]) -> bool:
    """Return whether `<path/>` is a whole element here."""
    return "svg" in inside or "math" in inside
