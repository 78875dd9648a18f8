"""Pieces of Markdown: sections, tables, numbers, configs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def words(value: Any) -> str:
    """Return the canonical form of a config as it is written in Python, without fields that are empty."""
    if isinstance(value, Mapping):
        name = value.get("!", "")
        fields = [f"{key}={words(v)}" for key, v in value.items() if key != "!" and v not in (None, "", [], {})]
        return f"{name}({', '.join(fields)})"
    if isinstance(value, list):
        return f"[{', '.join(words(v) for v in value)}]"
    return f"{value}" if not isinstance(value, str) else f"{value!r}"


def section(title: str, lines: Iterable[str]) -> str:
    """Return lines below a heading."""
    return "\n".join([f"## {title}", "", *lines])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; what is special in its cells is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines]


def number(value: Any) -> str:
    """Return a figure with its thousands apart, other values as text, nothing for None."""
    return f"{value:,}" if isinstance(value, int | float) else str(value if value is not None else "")
