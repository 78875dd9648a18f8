"""What stands for text in a page, said so that an extractor takes it for text.

resiliparse tells navigation from text by tag, class and share of links. On real pages that costs text, each case for a
reason of its own, and each is mended here in the page, by a stated rule, before it is parsed:

- Lists: each `ul` that lies in fewer than four elements or has more than 20 % of its characters in links goes. One with
  at least half of its characters outside links is text, and so are its links, unless its class says navigation.
- Boxes: each `aside` and `div class="sidebar"` goes; DocBook and many documentation tools mark notes in the text so.
  One with at least half of its characters outside links is text: addresses are long, and Chinese is short.
- Names: XHTML writes `<a id="x"/>`; as HTML that is a link which holds all that follows. One without `href` is none.
- Cells: `<td><p>1</p></td>` puts each cell of a row on a line of its own; short cells are put on one line.
- Addresses: what has the class `email` is taken for a button, and `code` may go for its class as well.
- Lines: where the source ends a line between two Chinese or Japanese characters, a browser shows nothing, an extractor
  a space. Source: CSS Text Level 3, 4.1.3, segment break transformation.
- Lone characters: one that makes up a piece of text by itself is taken for an icon if UTF-8 needs three bytes for it.
  So the full stop goes that follows a link in Chinese. An invisible character beside it saves it.
- Images: their alternative text goes, but for formulas, whose text comes from `formulas.py`.
"""

import re
from dataclasses import dataclass, field

from regraft.curation.extraction.formulas import of_image, of_math, of_script
from regraft.curation.extraction.markup import Tag, attributes, tags

LIST_SHARE = 0.5
"""Of the characters of a list that may stand in links. Source: not in the paper."""
BOX_SHARE = 0.5
"""Of the characters of a box that may stand in links. Source: not in the paper."""
LIST_DEPTH = 4
"""Elements around a list below which resiliparse takes it for navigation."""
UNLINKED = 20
"""Characters outside links that a list or box of text has at least. Source: not in the paper."""
SAVIOUR = "\u200b"
"""Zero width space, which `normalise` removes."""
CELL = 500
"""Characters of a table cell that is put on one line, at most. Source: not in the paper."""

_HREF = re.compile(r"\shref\s*=", re.IGNORECASE)
_SIDEBAR = re.compile(r"""\sclass\s*=\s*["']?sidebar["'\s>]""", re.IGNORECASE)
_NAVIGATION = re.compile("nav|menu|crumb|pager|pagin|toc|tabs|foot|head|lang", re.IGNORECASE)
_EMAIL = re.compile(r"""\sclass\s*=\s*(?:"email"|'email'|email(?=[\s>]))""", re.IGNORECASE)
_WIDE = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60\U00020000-\U0003ffff"
_WRAPPED = re.compile(rf"(?<=[{_WIDE}])[ \t]*\r?\n[ \t]*(?=[{_WIDE}])")
_ICON = re.compile("[\ue000-\uf8ff]")
_FALLBACK = re.compile(r"\s*</span>\s*<img\b[^<>]*mwe-math-fallback", re.IGNORECASE)
_BLOCKS = frozenset(
    ("ul", "ol", "dl", "menu", "pre", "div", "aside", "table", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6")
)
_CODE = frozenset(("code", "kbd", "samp", "tt", "var"))
_HANDLED = _BLOCKS | _CODE | {"a", "td", "th", "tr", "p", "br", "img", "math"}


def layout(page: str) -> str:
    """Return the page with its lists, boxes, names, cells and formulas as above; linear in its size."""
    scan = _Scan(page)
    for tag in tags(page):
        scan.read(tag)
    return scan.result()


@dataclass(slots=True)
class _Open:
    """A list or box whose end was not seen yet, and how far the counts were at its beginning."""

    tag: Tag
    characters: int
    linked: int
    links: int


@dataclass(slots=True)
class _Cell:
    """A table cell whose end was not seen yet."""

    characters: int
    breaks: list[Tag] = field(default_factory=list[Tag])
    """Tags inside it that would end the line."""


class _Scan:
    """Reads tags in order, counts visible characters and collects what to replace."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.edits: list[tuple[int, int, str]] = []
        self.last = self.characters = self.linked = 0
        self.in_link = self.in_pre = False
        self.links: list[Tag] = []
        self.math = -1
        self.cell: _Cell | None = None
        self.lists: list[_Open] = []
        self.boxes: dict[str, list[_Open | None]] = {"div": [], "aside": []}

    def read(self, tag: Tag) -> None:
        start, end = tag.span()
        if start > self.last and (text := self.page[self.last : start].strip()):
            self._text(text, start)
        self.last = end
        if (name := tag["name"]) is None:
            self._raw(tag)
        elif (name := name.lower()) in _HANDLED:
            self._element(name, bool(tag["end"]), tag)

    def _text(self, text: str, end: int) -> None:
        self.characters += len(text)
        if self.in_link:
            self.linked += len(text)
        if len(text) == 1 and text >= "\u0800" and not _ICON.match(text):
            self.edits.append((end, end, SAVIOUR))
        if not self.in_pre and not text.isascii() and "\n" in text:
            self.edits += ((m.start(), m.end(), "") for m in _WRAPPED.finditer(self.page, self.last, end))

    def result(self) -> str:
        """Return the page with the edits made."""
        pieces: list[str] = []
        at = 0
        for start, end, text in sorted(self.edits):
            if start >= at:  # else inside of what was replaced as a whole
                pieces += (self.page[at:start], text)
                at = end
        return "".join([*pieces, self.page[at:]])

    def _element(self, name: str, end: bool, tag: Tag) -> None:
        if name == "a":
            self._link(end, tag)
        elif name == "math":
            self._formula(end, tag)
        elif name in _CODE:
            if not end:
                self._replace(tag, f"<{name}>")
        elif name == "img":
            self._replace(tag, _escaped(of_image(attributes(tag[0]))))
        elif name in ("td", "th", "tr", "table"):
            self._end_cell()
            if name in ("td", "th") and not end:
                self.cell = _Cell(self.characters)
        elif name in ("p", "br"):
            if self.cell:
                self.cell.breaks.append(tag)
        elif name in _BLOCKS:
            self.cell = None
            if name == "pre":
                self.in_pre = not end
            self._list(end, tag) if name == "ul" else self._box(name, end, tag)

    def _raw(self, tag: Tag) -> None:
        if tag["raw"] and (formula := of_script(tag[0])):
            self._replace(tag, _escaped(formula))

    def _link(self, end: bool, tag: Tag) -> None:
        if not end and not _HREF.search(tag[0]):
            self._replace(tag, "")
        else:
            self.in_link = not end
            self.links.append(tag)
            if not end and _EMAIL.search(tag[0]):
                self._replace(tag, _EMAIL.sub("", tag[0]))

    def _formula(self, end: bool, tag: Tag) -> None:
        if not end:
            self.math = tag.start()
        elif self.math >= 0:
            shown = _FALLBACK.match(self.page, tag.end())
            formula = "" if shown else _escaped(of_math(self.page[self.math : tag.end()]))
            self.edits.append((self.math, tag.end(), formula))
            self.math = -1

    def _list(self, end: bool, tag: Tag) -> None:
        if not end:
            self.lists.append(self._begin(tag))
        elif self.lists:
            opened = self.lists.pop()
            if self._is_text(opened, LIST_SHARE) and not _is_navigation(opened.tag):
                self._keep_list(opened, tag)

    def _keep_list(self, opened: _Open, end: Tag) -> None:
        """Make links in it text, and put it inside of more elements."""
        for tag in self.links[opened.links :]:
            self._replace(tag, "")
        del self.links[opened.links :]
        deeper = 0 if self.lists else LIST_DEPTH
        self._replace(opened.tag, "<div>" * deeper + opened.tag[0])
        self._replace(end, end[0] + "</div>" * deeper)

    def _begin(self, tag: Tag) -> _Open:
        return _Open(tag, self.characters, self.linked, len(self.links))

    def _box(self, name: str, end: bool, tag: Tag) -> None:
        if name not in self.boxes:
            return
        if not end:
            box = name == "aside" or _SIDEBAR.search(tag[0])
            self.boxes[name].append(self._begin(tag) if box else None)
        elif self.boxes[name]:
            opened = self.boxes[name].pop()
            if opened and self._is_text(opened, BOX_SHARE):
                self._replace(opened.tag, "<div>")
                self._replace(tag, "</div>")

    def _is_text(self, opened: _Open, share: float) -> bool:
        characters, linked = self.characters - opened.characters, self.linked - opened.linked
        return linked <= share * characters and characters - linked >= UNLINKED

    def _end_cell(self) -> None:
        if self.cell and self.characters - self.cell.characters <= CELL:
            for tag in self.cell.breaks:
                self._replace(tag, " ")
        self.cell = None

    def _replace(self, tag: Tag, text: str) -> None:
        self.edits.append((tag.start(), tag.end(), text))


def _is_navigation(tag: Tag) -> bool:
    """Return whether an element says to be navigation."""
    found = attributes(tag[0])
    return any(_NAVIGATION.search(found.get(name, "")) for name in ("class", "id", "role"))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
