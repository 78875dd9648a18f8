"""From a store and the record of a run to one HTML file that needs nothing else."""

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regraft.core import Run, Store
from regraft.report.sections import FigureRecord, ReportIndex, Section, numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from regraft.report.collect import Evidence


def write_report(store: Store, record: Run, path: Path) -> ReportIndex:
    """Write the report of a run to `path`, one HTML file, with the index of its figures beside it.

    The config of the last comparison holds `notes`, sentences that stand at the top, and `criteria`, what the recipe
    set out to show.

    Raises:
        ArtifactError: an artifact of the run is no longer in the store.
        SchemaError: a table in it is damaged.
    """
    from regraft.report.collect import collect

    evidence = collect(store, record)
    sections = _sections(evidence)
    page = _environment().get_template("report.html.j2").render(_page(evidence, sections))
    index = ReportIndex(
        path=path,
        figures={
            number: FigureRecord(title=figure.title, section=section.anchor, artifacts=figure.artifacts)
            for number, section, figure in numbered(sections)
        },
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(page, "utf-8")
    part.replace(path)
    index.save()
    return index


def headline(store: Store, record: Run) -> list[str]:
    """Return what a run shows, in sentences: what was gained and kept, and whether its criteria are met."""
    from regraft.report import results
    from regraft.report.collect import collect

    section = results.headline(collect(store, record))
    tables = (f.table for f in section.figures if f.title == results.CRITERIA_TITLE and f.table)
    criteria = (row for table in tables for row in table.rows)
    return [
        *section.sentences,
        *(f"{name} ({rule}): {verdict}: {measured}" for name, rule, verdict, measured in criteria),
    ]


def _sections(evidence: "Evidence") -> list[Section]:
    from regraft.report import (
        cost,
        curation,
        diversity,
        documents,
        results,
        throughput,
        topics,
        training,
        verification,
    )

    return [
        results.headline(evidence),
        results.bits_per_byte(evidence),
        results.accuracy(evidence),
        training.budget(evidence),
        training.course(evidence),
        throughput.speed(evidence),
        documents.funnel(evidence),
        curation.found(evidence),
        topics.classified(evidence),
        verification.verified(evidence),
        diversity.diverse(evidence),
        documents.samples(evidence),
        cost.cost(evidence),
        cost.lineage(evidence),
    ]


def _page(evidence: "Evidence", sections: "Sequence[Section]") -> dict[str, Any]:
    from regraft.report import results

    record = evidence.record
    return {
        "record": record,
        "sections": sections,
        "numbers": {id(figure): number for number, _, figure in numbered(sections)},
        "identity": id,
        "notes": results.notes(evidence),
        "parameters": record.parameters,
        "style": _package_text("report.css"),
    }


def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(_package_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _package_text(name: str) -> str:
    return (resources.files("regraft.report") / "page" / name).read_text("utf-8")
