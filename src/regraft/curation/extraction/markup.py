"""The tags of an HTML page, found without parsing it, in time that is linear in the page however broken it is."""

import re
from collections.abc import Iterator

_MARKUP = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<(?P<raw>script|style)(?=[\s/>]).*?(?:</(?P=raw)(?=[\s/>])[^>]*+>?+|\Z)"
    r"""|<(?P<end>/?)(?P<name>[a-z][^\s/>]*+)(?:[^>=]++|=\s*+(?:"[^"]*+"?+|'[^']*+'?+|[^\s>]*+))*+>?+""",
    re.IGNORECASE | re.DOTALL,
)
"""Comments, scripts and styles as a whole, and tags; no part is read twice."""
_ATTRIBUTE = re.compile(r"""([^\s=/]++)(?:\s*+=\s*+(?:"([^"]*+)"?+|'([^']*+)'?+|([^\s>"']++)))?+""")
"""Names without a value match too, so that none is tried again from each of its letters."""

Tag = re.Match[str]
"""Its groups `name` and `end` are those of a tag; `raw` is set for a whole script or style; else it is a comment."""


def tags(page: str) -> Iterator[Tag]:
    """Return comments, scripts, styles and tags of a page in order."""
    return _MARKUP.finditer(page)


def attributes(tag: str) -> dict[str, str]:
    """Return the attributes of a start tag that have a value; names in lower case, values as they are written."""
    found = ((m[1], m[2] or m[3] or m[4] or "", m.end() > m.end(1)) for m in _ATTRIBUTE.finditer(tag))
    return {name.lower(): value for name, value, given in found if given}
