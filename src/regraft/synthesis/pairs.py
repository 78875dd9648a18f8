"""A problem and its solution: read out of what a model wrote, and put back together as ordinary text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_DECORATION = r"[ \t#>*_\[【\-]*+"  # possessive, as all that repeats here: a line of a million dashes is read once
_HEAD = r"(?:\d++[.)、][ \t]*+)?"
_AFTER = r"[ \t]*+(?:\d++)?[*_\]】]*+[ \t]*+(?:[:：][*_]*+|(?=\n)|$|(?<=[\]】]))[ \t]*+"


def heading(names: str) -> "re.Pattern[str]":
    """Return what matches one of some headings (`problem|question`), however it is decorated or numbered."""
    return re.compile(rf"(?im)^{_DECORATION}{_HEAD}{_DECORATION}(?:{names}){_AFTER}")


_IN_LINE = re.compile(
    r"(?:(?<=[^\d\s][.。”\")])|(?<=[?!？！]))[ \t]+(?=[*_]*(?:Solution|Answer|解答|答案)[*_]*[ \t]*[:：])"
)
_PROBLEM = (heading("problem|question|exercise|问题|题目"), heading("q|题"))
_SOLUTION = (heading("solution|answer|解答|答案"), heading("a|解"))
"""Each with what counts where the first is not there: `A:` may be one of several options."""
_THOUGHT = re.compile(r"(?s)\A\s*<think>.*?(?:</think>|\Z)")
_PREAMBLE = re.compile(
    r"(?i)\A(?:sure|certainly|of course|okay|here(?:'s|’s| is| are)|below (?:is|are)|好的|当然|以下是|下面是)"
    r"[^\n]{0,200}[:：!！。.][ \t]*\n+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A problem and its solution, without their headings."""

    problem: str
    """Empty for a text that answers none."""
    solution: str
    whole: str = ""
    """The text where it is not the problem followed by the solution, such as questions and answers in turn."""

    @property
    def text(self) -> str:
        """Problem and solution as ordinary text, without roles or markup.

        Source: Llama-3-SynE trains on both as one text with plain next-token loss (arXiv:2407.18743).
        """
        return self.whole or "\n\n".join(filter(None, (self.problem, self.solution)))

    @property
    def solution_start(self) -> int:
        """Characters of `text` before the solution; 0 where the two cannot be cut apart."""
        return 0 if self.whole or not self.problem else len(self.problem) + 2


def parse_pair(text: str) -> Pair | str:
    """Return the first pair in what a model wrote, or why there is none.

    Headings may be bold, numbered, Markdown headings, in another case, on their own line or before the text, and
    called Question and Answer. Text before the problem is dropped; a second pair and what follows it too.
    """
    text = _IN_LINE.sub("\n", without_thought(text))
    solution = _first(_SOLUTION, text)
    if solution is None:
        return "no section Solution"
    problem = _first(_PROBLEM, text, 0, solution.start())
    if problem is None:
        return "no section Problem"
    following = problem.re.search(text, solution.end())
    end = following.start() if following else len(text)
    pair = Pair(problem=_clean(text[problem.end() : solution.start()]), solution=_clean(text[solution.end() : end]))
    if not pair.problem or not pair.solution:
        return f"section {'Solution' if pair.problem else 'Problem'} is empty"
    return pair


def _first(
    headings: "Iterable[re.Pattern[str]]", text: str, start: int = 0, end: int | None = None
) -> "re.Match[str] | None":
    """Return where the first of some headings that stands in a text does so."""
    end = len(text) if end is None else end
    return next(filter(None, (one.search(text, start, end) for one in headings)), None)


def plain(text: str) -> str:
    """Return what a model wrote without its thoughts, a sentence such as `Here is the text:` and a fence around all."""
    text = _PREAMBLE.sub("", without_thought(text).strip()).strip()
    fenced = re.fullmatch(r"(?s)```[a-z]*\n(.*?)\n?```", text)
    return _clean(fenced[1] if fenced else text)


def without_thought(text: str) -> str:
    """Return the text behind the block `<think>` that reasoning models begin with; nothing where it never ends."""
    return _THOUGHT.sub("", text)


def _clean(section: str) -> str:
    """Cut what is no text at the ends: blank lines, rules, emphasis that has only one end."""
    section = re.sub(r"(?m)^[ \t]*+(?:-{3,}+|\*{3,}+|={3,}+)[ \t]*+$", "", section).strip()
    return section if section.count("**") % 2 == 0 else section.strip("*").strip()
