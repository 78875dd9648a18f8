"""What a benchmark found, as JSON for machines and Markdown for people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.machine import machine
from bench.rounds import Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a title."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]

    def markdown(self) -> str:
        """Return it as a Markdown table; figures to three digits."""
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        body = "\n".join(f"| {' | '.join(_shown(cell) for cell in line)} |" for line in lines)
        return f"### {self.title}\n\n{body}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome of one benchmark."""

    name: str
    claim: str
    """What was to be shown."""
    verdict: str
    """What was found, in a sentence."""
    corpus: Mapping[str, Any]
    """Counts."""
    settings: Mapping[str, Any]
    tables: Sequence[Table]
    notes: Sequence[str] = ()
    pythons: Sequence[Path] = field(default=())

    def write(self, folder: Path) -> None:
        """Write `NAME.json` and `NAME.md` into a folder, and print the latter."""
        folder.mkdir(parents=True, exist_ok=True)
        given = {key: value for key, value in asdict(self).items() if key != "pythons"}
        found = {**given, "machine": machine(self.pythons)}
        (folder / f"{self.name}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
        text = self._markdown(found["machine"])
        (folder / f"{self.name}.md").write_text(text, "utf-8")
        print(text)

    def _markdown(self, where: Mapping[str, Any]) -> str:
        head = f"# {self.name}\n\n**Claim.** {self.claim}\n\n**Found.** {self.verdict}\n"
        facts = {**where, "versions": "; ".join(_joined(found) for found in where["versions"])}
        lines = [
            f"- {key}: {value}" for key, value in {**facts, **self.settings, "corpus": _joined(self.corpus)}.items()
        ]
        notes = "".join(f"- {note}\n" for note in self.notes)
        return "\n".join([head, *(table.markdown() for table in self.tables), notes, "\n".join(lines), ""])


def timings(found: Mapping[str, Sequence[Measured]], megabytes: float, against: str = "") -> Table:
    """Return seconds, speed and memory of each side; and how many times longer than the side `against` it took."""
    rows: list[list[object]] = []
    for name, runs in found.items():
        seconds = median(run.seconds for run in runs)
        row = [name, seconds, megabytes / seconds, max(run.peak_bytes for run in runs) / 1e6]
        each = [run.seconds / other.seconds for run, other in zip(runs, found.get(against, runs), strict=True)]
        rows.append([*row, median(each), " ".join(f"{ratio:.2f}" for ratio in each)])
    header = ("", "seconds, median", "MB/s", "peak memory, MB", f"times {against or 'itself'}", "round by round")
    return Table(title="Paired rounds", header=header, rows=rows)


def _shown(cell: object) -> str:
    return (
        f"{cell:,.3g}"
        if isinstance(cell, float) and abs(cell) < 1000
        else f"{cell:,.0f}"
        if isinstance(cell, float)
        else str(cell)
    )


def _joined(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
