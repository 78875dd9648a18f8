"""What it cost and where everything came from."""

import json
from collections.abc import Iterable

from regraft.core import Artifact
from regraft.corpus import tables
from regraft.report.collect import Evidence, rows
from regraft.report.sections import Excerpt, Figure, Section, Table
from regraft.report.words import NONE, duration, size

MAX_CONFIG = 4_000
"""Characters shown of a config."""
UNKNOWN = "unknown"


def cost(evidence: Evidence) -> Section:
    """Show time, memory and speed of each step, and tokens and cost of generation."""
    lines = tuple(_time(evidence, name, artifact) for name, artifact in evidence.steps.items())
    ids = tuple(a.id for a in evidence.artifacts)
    total = sum(a.manifest.provenance.seconds for a in evidence.artifacts)
    peak = max((a.manifest.provenance.peak_memory_bytes for a in evidence.artifacts), default=0)
    columns = ("Step", "In this run", "Time", "CPU time", "Peak memory", "Tokens/s")
    figures = [
        Figure(
            title="Time and memory of each step",
            artifacts=ids,
            caption="Measured when the artifact was made, which may have been in an earlier run.",
            table=Table(columns=columns, rows=lines, num_labels=2),
        ),
        *_generation(evidence),
    ]
    sentence = f"All steps together took {duration(total)}; the largest used {size(peak)} of memory."
    return Section(title="Cost", anchor="cost", sentences=(sentence,), figures=tuple(figures))


def lineage(evidence: Evidence) -> Section:
    """Show every artifact with what it was made from, by what and how."""
    artifacts = evidence.artifacts
    lines = tuple(
        (
            evidence.name(a),
            a.id,
            a.manifest.kind.value,
            ", ".join(f"{i.role}: {i.artifact}" for i in a.manifest.inputs) or NONE,
            a.manifest.content_digest[:12],
            size(sum(f.bytes for f in a.manifest.files)),
        )
        for a in artifacts
    )
    columns = ("Step", "Artifact", "Kind", "Made from", "Content", "Size")
    ids = tuple(a.id for a in artifacts)
    figures = (
        Figure(
            title="Artifacts",
            artifacts=ids,
            caption="Content is the beginning of a digest over the files: equal when the result is equal.",
            table=Table(columns=columns, rows=lines, num_labels=5),
        ),
        Figure(
            title="Configs and figures of the manifests",
            artifacts=ids,
            excerpts=tuple(_manifests(evidence)),
            folded=True,
        ),
        Figure(title="Software and machine", artifacts=ids, table=_software(artifacts), folded=True),
    )
    return Section(title="Artifacts and lineage", anchor="lineage", figures=figures)


def _time(evidence: Evidence, name: str, artifact: Artifact) -> tuple[str, ...]:
    made = artifact.manifest.provenance
    action = evidence.record.actions.get(name, NONE)
    return (
        name,
        "reused" if action == "reuse" else "made",
        duration(made.seconds),
        duration(made.cpu_seconds),
        size(made.peak_memory_bytes),
        _speed(artifact),
    )


def _speed(artifact: Artifact) -> str:
    times = rows(artifact, tables.STEP_TIMES_FILE, tables.STEP_TIMES)
    seconds = sum(row["seconds"] for row in times)
    tokens = sum(row["seconds"] * row["tokens_per_second"] for row in times)
    return f"{tokens / seconds:,.0f}" if seconds else NONE


def _generation(evidence: Evidence) -> Iterable[Figure]:
    lines: list[tuple[str, ...]] = []
    found = [a for a in evidence.artifacts if "completion_tokens" in a.manifest.metrics]
    for artifact in found:
        metrics = artifact.manifest.metrics
        keys = ("requests", "prompt_tokens", "completion_tokens", "spent_tokens", "cost")
        lines.append((evidence.name(artifact), *(_count(metrics.get(key)) for key in keys)))
    if lines:
        columns = ("Step", "Requests", "Prompt tokens", "Completion tokens", "Tokens spent", "Cost")
        yield Figure(
            title="Generation",
            artifacts=tuple(a.id for a in found),
            caption="Spent: all tokens of all stored exchanges, failed ones and those that were not kept included.",
            table=Table(columns=columns, rows=tuple(lines)),
        )


def _count(value: object) -> str:
    return UNKNOWN if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)


def _manifests(evidence: Evidence) -> Iterable[Excerpt]:
    for artifact in evidence.artifacts:
        shown = {"config": artifact.manifest.config, "metrics": dict(artifact.manifest.metrics)}
        text = json.dumps(shown, indent=1, ensure_ascii=False)
        cut = text if len(text) <= MAX_CONFIG else f"{text[:MAX_CONFIG]} … (cut; whole in manifest.json)"
        yield Excerpt(label=f"{evidence.name(artifact)} · {artifact.id}", text=cut)


def _software(artifacts: Iterable[Artifact]) -> Table:
    newest = max(artifacts, key=lambda a: a.manifest.provenance.started).manifest.provenance
    facts = {
        "Python": newest.python,
        "Platform": newest.platform,
        "Device": newest.device,
        "Commit of regraft": newest.commit or UNKNOWN,
        **dict(sorted(newest.packages.items())),
    }
    return Table(columns=("What", "Which"), rows=tuple(facts.items()), num_labels=2)
