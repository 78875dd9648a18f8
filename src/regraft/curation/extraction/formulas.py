"""Formulas of a web page as TeX between dollar signs, or as a line of plain text where the page has no TeX.

Covered is what pages hold: MathML with the TeX that it was made from in an annotation (KaTeX, LaTeXML, Wikipedia),
MathML without it, the scripts that MathJax reads, and images whose alternative text is TeX (Wikipedia, older blogs).
What a page writes as text, like `\\(x\\)` or `$$x$$`, is text already.
"""

import html
import re
from collections.abc import Mapping

from regraft.curation.extraction.markup import attributes, tags

_TEX = re.compile(r"<annotation\b(?=[^<>]*+>)[^<>]*application/x-(?:tex|latex)[^<>]*>([^<]*)", re.IGNORECASE)
_MATH_TAG = re.compile(r"<math\b[^<>]*>", re.IGNORECASE)
_SCRIPT = re.compile(r"<script\b[^<>]*+>", re.IGNORECASE)
_SCRIPT_END = re.compile(r"</script(?=[\s/>])", re.IGNORECASE)
_STYLE = re.compile(r"\s*\{\s*\\(?:display|text)style\b(.*)\}\s*\Z", re.DOTALL)
_FORMULA_CLASS = re.compile(r"(?:^|[\s_-])(?:math|tex|latex|equation|formula)(?:$|[\s_-])", re.IGNORECASE)

OPERATORS = {"mfrac": "/", "msub": "_", "msup": "^", "munder": "_", "mover": "^"}
RELATIONS = frozenset("=<>≤≥≠≈≡→∈⊂+−±-")
RENDERED = (
    ".katex-html",
    ".MathJax",
    ".MathJax_Display",
    ".MathJax_Preview",
    ".MathJax_SVG",
    "mjx-math",
    "mjx-container svg",
)
"""Selectors of what is drawn for the eye, beside the formula itself."""


def of_math(element: str) -> str:
    """Return the formula of a whole `math` element."""
    opening = _MATH_TAG.match(element)
    block = opening is not None and attributes(opening[0]).get("display") == "block"
    if tex := _TEX.search(element):
        return tex_formula(html.unescape(tex[1]), block)
    return f" {linear(element)} "


def of_script(script: str) -> str:
    """Return the formula of a `script` element that is one, else nothing."""
    opening = _SCRIPT.match(script)
    kind = attributes(opening[0]).get("type", "") if opening else ""
    if opening is None or not kind.startswith("math/tex"):
        return ""
    tex = _SCRIPT_END.split(script[opening.end() :], 1)[0]
    return tex_formula(tex, "mode=display" in kind.replace(" ", ""))


def of_image(found: Mapping[str, str]) -> str:
    """Return the formula of an image with these attributes that says to be one, else nothing."""
    kind, alt = found.get("class", ""), html.unescape(found.get("alt", ""))
    if not alt.strip() or not _FORMULA_CLASS.search(kind):
        return ""
    return tex_formula(alt, "display" in kind or "block" in kind)


def tex_formula(tex: str, block: bool) -> str:
    """Return TeX between the dollar signs of its kind, on one line, without the wrapper that only sets a size."""
    if style := _STYLE.match(tex):
        tex = style[1]
    tex = " ".join(tex.split()).strip("$ ")
    if not tex:
        return ""
    return f" $${tex}$$ " if block else f"${tex}$"


def linear(element: str) -> str:
    """Return MathML as a line: `(a+b)/2`, `x^2`, `sqrt(x)`; rows of a matrix are parted by semicolons."""
    inside: list[tuple[str, list[str]]] = [("", [])]
    last = 0
    for tag in tags(element):
        inside[-1][1].append(html.unescape(element[last : tag.start()]).strip())
        last = tag.end()
        name = (tag["name"] or "").lower()
        if not tag["end"] and name and not tag[0].endswith("/>"):
            inside.append((name, []))
        elif tag["end"] and any(name == opened for opened, _ in inside):
            while inside[-1][0] != name:
                _close(inside)
            _close(inside)
    return " ".join("".join(part for _, parts in inside for part in parts).split())


def _close(inside: list[tuple[str, list[str]]]) -> None:
    name, parts = inside.pop()
    inside[-1][1].append(_line(name, [part for part in parts if part]))


def _line(name: str, parts: list[str]) -> str:
    """Return what an element says whose parts say these."""
    match name, parts:
        case "mfrac" | "msub" | "msup" | "munder" | "mover", [base, other]:
            return f"{_grouped(base)}{OPERATORS[name]}{_grouped(other)}"
        case "msubsup" | "munderover", [base, low, high]:
            return f"{_grouped(base)}_{_grouped(low)}^{_grouped(high)}"
        case "mroot", [base, degree]:
            return f"root({base}, {degree})"
        case "msqrt", _:
            return f"sqrt({''.join(parts)})"
        case "mtable", _:
            return "; ".join(parts)
        case "mtr", _:
            return ", ".join(parts)
        case "mo", [sign] if sign in RELATIONS:
            return f" {sign} "
        case "annotation" | "annotation-xml", _:
            return ""
        case _:
            return "".join(parts)


def _grouped(text: str) -> str:
    return text if len(text) == 1 or text.isalnum() else f"({text.strip()})"
