"""What became of the texts that a model wrote: how many were kept, which check rejected the others, on what seeds."""

from collections import Counter
from collections.abc import Iterator

from regraft.core import Artifact
from regraft.corpus import tables
from regraft.report.collect import Evidence, rows
from regraft.report.sections import Figure, Section, Table
from regraft.report.words import percent

KEPT = "Texts asked for and kept"
VERDICTS = "Verdicts by check"
SEEDS = "Seeds by discipline"
CAPTION = (
    "Checks go in rounds: form, demands, judge, answer, duplicate, program; what a round rejects goes to no later one. "
    "First: rejected by this check and by none before it. Only: by this check and no other of its round, "
    "so what would pass without it."
)


def verified(evidence: Evidence) -> Section:
    """Show what was asked for, kept and rejected in each step whose texts a model wrote."""
    title, anchor = "Verification of synthetic text", "verification"
    written = [a for a in evidence.artifacts if (a.path / tables.VERDICTS_FILE).is_file()]
    if not written:
        return Section(title=title, anchor=anchor, missing="No model wrote text in this run.")
    return Section(title=title, anchor=anchor, figures=tuple(_figures(evidence, written)))


def _figures(evidence: Evidence, written: list[Artifact]) -> Iterator[Figure]:
    ids = tuple(artifact.id for artifact in written)
    columns = ("Step", "Requests", "Answers", "Kept", "Of the answers", "Tokens spent")
    kept = tuple(_kept(evidence.name(artifact), artifact) for artifact in written)
    yield Figure(title=KEPT, artifacts=ids, table=Table(columns=columns, rows=kept))
    found = tuple(row for artifact in written for row in _verdicts(evidence.name(artifact), artifact))
    columns = ("Step", "Check", "Texts", "Rejected", "First", "Only")
    if found:
        table = Table(columns=columns, rows=found, num_labels=2)
        yield Figure(title=VERDICTS, artifacts=ids, caption=CAPTION, table=table)
    seeded = [a for a in written if (a.path / tables.SEEDS_FILE).is_file()]
    if seeded:
        drawn = tuple(row for artifact in seeded for row in _seeds(evidence.name(artifact), artifact))
        table = Table(columns=("Step", "Discipline", "Told by", "Snippets"), rows=drawn, num_labels=3)
        yield Figure(title=SEEDS, artifacts=tuple(a.id for a in seeded), table=table)


def _kept(step: str, artifact: Artifact) -> tuple[str, ...]:
    counts = {name: int(artifact.manifest.metrics.get(name) or 0) for name in ("requests", "answers", "documents")}
    spent = int(artifact.manifest.metrics.get("spent_tokens") or 0)
    share = percent(counts["documents"] / counts["answers"]) if counts["answers"] else "–"
    return step, *(f"{count:,}" for count in counts.values()), share, f"{spent:,}"


def _verdicts(step: str, artifact: Artifact) -> Iterator[tuple[str, ...]]:
    for row in rows(artifact, tables.VERDICTS_FILE, tables.VERDICTS):
        yield step, row["check"], *(f"{row[name]:,}" for name in ("pairs", "alone", "first", "only"))


def _seeds(step: str, artifact: Artifact) -> Iterator[tuple[str, ...]]:
    found = Counter((row["discipline"], row["told_by"]) for row in rows(artifact, tables.SEEDS_FILE, tables.SEEDS))
    for (discipline, by), count in sorted(found.items()):
        yield step, discipline, by, f"{count:,}"
