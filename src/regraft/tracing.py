"""`regraft trace`: from a figure to artifacts, from an artifact to its inputs, from a step to documents and back."""

import json
from collections.abc import Iterator
from itertools import groupby

from regraft.core import Artifact, ArtifactError, ConfigError, Kind, Store, lineage


def trace_lines(store: Store, target: str, step: int = 0, document: str = "") -> Iterator[str]:
    """Yield what is behind `target`, as lines to print.

    Args:
        store: where to look.
        target: a figure, an artifact, a step of the recipe or the id of a document; empty for all artifacts.
        step: of the training `target`: the documents which this optimizer step saw.
        document: of the training `target`: the steps which saw this document.

    Raises:
        ArtifactError: nothing in the store has that name.
        ConfigError: a step or document is asked for of something that was not trained, or both are.
    """
    if not store.directories():
        raise ArtifactError(f"{store.root} holds no artifacts. Give the --store that `regraft run` was given.")
    if step and document:
        raise ConfigError("Give --step or --document, not both.")
    if step:
        yield from _documents_of_step(_trained(store, target), step)
    elif document:
        yield from list(_steps_in(_trained(store, target), document)) or [f"no step saw {document}"]
    elif not target:
        yield from _listing(store)
    elif (figure := _figure(store, target)) is not None:
        yield from figure
    elif (artifact := _artifact(store, target)) is not None:
        yield from _lineage(store, artifact)
    else:
        yield from _steps_of_document(store, target)


def _listing(store: Store) -> Iterator[str]:
    for artifact in store.artifacts():
        m = artifact.manifest
        yield f"{artifact.id:44} {m.step:28} {m.kind:12} {m.provenance.started}  {m.provenance.seconds:,.0f} s"


def _figure(store: Store, name: str) -> list[str] | None:
    for index in sorted(store.reports.glob("*.figures.json"), key=lambda path: -path.stat().st_mtime):
        figures = json.loads(index.read_text("utf-8"))
        if (name := name.upper()) in figures:
            return [f"{name}: {figures[name]['title']}  ({index.name})", *_behind(store, figures[name]["artifacts"])]
    return None


def _behind(store: Store, names: list[str]) -> Iterator[str]:
    """Yield the lineage of some artifacts; what stands above already is not told again."""
    told: set[str] = set()
    for name in names:
        for line in _lineage(store, store.resolve(name)):
            if line.strip() not in told:
                yield line
            told.add(line.strip())


def _artifact(store: Store, name: str) -> Artifact | None:
    return store.resolve(name) if store.has(name) else None


def _lineage(store: Store, artifact: Artifact) -> Iterator[str]:
    for depth, role, found in lineage(store, artifact):
        label = f"{role}: " if role else ""
        yield f"{'  ' * depth}{label}{found.id}  ({found.manifest.step}, {found.manifest.provenance.started})"


def _trained(store: Store, target: str) -> Artifact:
    artifact = store.resolve(target)
    if artifact.manifest.kind is not Kind.CHECKPOINT or artifact.manifest.stage != "train":
        raise ConfigError(f"{artifact.id} was not trained; --step and --document need an artifact of the stage train.")
    return artifact


def _documents_of_step(artifact: Artifact, step: int) -> Iterator[str]:
    from regraft.training.history import documents_of_step

    pieces = documents_of_step(artifact, step)
    documents, tokens = len({seen.id for seen in pieces}), sum(seen.stop - seen.start for seen in pieces)
    steps = artifact.manifest.metrics["steps"]
    yield f"{artifact.id}, step {step} of {steps}: {documents} documents, {tokens:,} tokens"
    for (stream, sequence), members in groupby(pieces, key=lambda seen: (seen.stream, seen.sequence)):
        yield f"  {stream}  sequence {sequence}"
        yield from (f"    {seen.id}  tokens {seen.start}-{seen.stop}" for seen in members)


def _steps_in(artifact: Artifact, document: str) -> Iterator[str]:
    from regraft.training.history import passed_over, steps_of_document

    for pieces, note in ((steps_of_document, ""), (passed_over, "  (taken back by a roll-back)")):
        for seen in pieces(artifact, document):
            where = f"{seen.stream}  sequence {seen.sequence}  tokens {seen.start}-{seen.stop}"
            yield f"{artifact.id}  step {seen.step}  {where}{note}"


def _steps_of_document(store: Store, document: str) -> Iterator[str]:
    trained = (artifact for artifact in store.artifacts() if artifact.manifest.stage == "train")
    steps = [line for artifact in trained for line in _steps_in(artifact, document)]
    known = list(_corpora_with(store, document))
    if not steps and not known:
        raise ArtifactError(
            f"{store.root}: {document!r} is no figure, artifact, step or document. `regraft trace` lists the artifacts."
        )
    yield from steps
    yield from known
    if not steps:
        yield "no training step saw it"


def _corpora_with(store: Store, document: str) -> Iterator[str]:
    """Yield where a document, or a place such as `pages.jsonl:2`, was kept or dropped, and why it was dropped."""
    from regraft.corpus import tables
    from regraft.corpus.matching import matching

    for artifact in store.artifacts():
        if artifact.manifest.kind is not Kind.CORPUS:
            continue
        where = f"{artifact.id} ({artifact.manifest.step})"
        kept = tables.shards(artifact.path, tables.DOCUMENTS_FOLDER)
        if any(rows.num_rows for path in kept for rows in matching(path, tables.DOCUMENTS, "id", document)):
            yield f"kept in {where}"
        for path in tables.shards(artifact.path, tables.REJECTS_FOLDER):
            for rows in matching(path, tables.REJECTS, "id", document):
                for row in rows.to_pylist():
                    yield f"dropped by {where}: {row['reason']}" + (f", {row['detail']}" if row["detail"] else "")
