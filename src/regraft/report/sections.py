"""What a report is made of: sections of figures, each with its sources; numbered in the order in which they stand."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells as text; the first `num_labels` columns are words, the others figures."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    num_labels: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A piece of text to be read: a document, a pair, a reject."""

    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Something that a reader may point at: a chart, a table or excerpts, with the artifacts that it came from."""

    title: str
    artifacts: tuple[str, ...]
    caption: str = ""
    svg: str = ""
    table: Table | None = None
    excerpts: tuple[Excerpt, ...] = ()
    folded: bool = False
    """Shown closed at first, since it is long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading with sentences and figures; one without any says in `missing` why it is left out."""

    title: str
    anchor: str
    sentences: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRecord:
    """Where a figure stands and what it came from."""

    title: str
    section: str
    """Anchor of the section; the figure's own anchor is its number."""
    artifacts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportIndex:
    """A written report and its figures by number: `F1`, `F2`, ..."""

    path: Path
    figures: Mapping[str, FigureRecord] = field(default_factory=dict[str, FigureRecord])

    @property
    def index_path(self) -> Path:
        """The JSON file beside the report."""
        return index_path(self.path)

    def save(self) -> None:
        plain = {number: asdict(record) for number, record in self.figures.items()}
        self.index_path.write_text(json.dumps(plain, indent=1, ensure_ascii=False), "utf-8")


def load_index(report: Path) -> ReportIndex:
    """Return the index that stands beside a report.

    Raises:
        FileNotFoundError: there is none; write the report again.
    """
    plain = json.loads(index_path(report).read_text("utf-8"))
    figures = {
        number: FigureRecord(title=raw["title"], section=raw["section"], artifacts=tuple(raw["artifacts"]))
        for number, raw in plain.items()
    }
    return ReportIndex(path=report, figures=figures)


def index_path(report: Path) -> Path:
    """Return where the index of a report stands."""
    return report.with_suffix(".figures.json")


def numbered(sections: Iterable[Section]) -> Iterator[tuple[str, Section, Figure]]:
    """Yield every figure with its number, `F1` first, in the order of the report."""
    figures = ((section, figure) for section in sections for figure in section.figures)
    for number, (section, figure) in enumerate(figures, start=1):
        yield f"F{number}", section, figure
