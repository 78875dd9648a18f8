"""A problem and its solution: read out of what a model wrote, and put back together as ordinary text."""

import re
from dataclasses import dataclass

_DECORATION = r"[ \t]*(?:[#>*_\[\-]+[ \t]*)*"
_HEAD = r"(?:\d+[.)][ \t]*)?"
_AFTER = r"[ \t]*(?:\d+)?[*_\]]*[ \t]*(?:[:：][*_]*|(?=\n)|$)[ \t]*"


def _heading(names: str) -> "re.Pattern[str]":
    return re.compile(rf"(?im)^{_DECORATION}{_HEAD}{_DECORATION}(?:{names}){_AFTER}")


_IN_LINE = re.compile(r"(?<=[^\d\s][.?!。？！”\")])[ \t]+(?=[*_]*(?:Solution|Answer)[*_]*[ \t]*:)")
_PROBLEM = _heading("problem|question|q|exercise|问题|题目|题")
_SOLUTION = _heading("solution|answer|a|解答|答案|解")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A problem and its solution, without their headings."""

    problem: str
    solution: str

    @property
    def text(self) -> str:
        """Problem and solution as ordinary text, without roles or markup.

        Source: Llama-3-SynE trains on both as one text with plain next-token loss (arXiv:2407.18743).
        """
        return f"{self.problem}\n\n{self.solution}"


def parse_pair(text: str) -> Pair | str:
    """Return the first pair in what a model wrote, or why there is none.

    Headings may be bold, numbered, Markdown headings, in another case, on their own line or before the text, and
    called Question and Answer. Text before the problem is dropped; a second pair and what follows it too.
    """
    text = _IN_LINE.sub("\n", text)
    solution = _SOLUTION.search(text)
    if solution is None:
        return "no section Solution"
    problem = _PROBLEM.search(text, 0, solution.start())
    if problem is None:
        return "no section Problem"
    following = _PROBLEM.search(text, solution.end())
    end = following.start() if following else len(text)
    pair = Pair(problem=_clean(text[problem.end() : solution.start()]), solution=_clean(text[solution.end() : end]))
    if not pair.problem or not pair.solution:
        return f"section {'Solution' if pair.problem else 'Problem'} is empty"
    return pair


def _clean(section: str) -> str:
    """Cut what is no text at the ends: blank lines, rules, stray emphasis."""
    return re.sub(r"(?m)^\s*(?:-{3,}|\*{3,}|={3,})\s*$", "", section).strip().strip("*").strip()
