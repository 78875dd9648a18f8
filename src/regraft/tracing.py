"""`regraft trace`: from a figure to artifacts, from an artifact to its inputs, from a step to documents and back."""

import json
from collections.abc import Iterator
from typing import Any

from regraft.core import Artifact, ArtifactError, ConfigError, Kind, Store, lineage


def trace_lines(store: Store, target: str, step: int) -> Iterator[str]:
    """Yield what is behind `target`, as lines to print.

    Raises:
        ArtifactError: nothing in the store has that name.
        ConfigError: a step is asked for of something that was not trained.
    """
    if not store.directories():
        raise ArtifactError(f"{store.root} holds no artifacts. Give the --store that `regraft run` was given.")
    if step:
        yield from _documents_of_step(_trained(store, target), step)
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
        raise ConfigError(f"{artifact.id} was not trained; --step needs an artifact of the stage train.")
    return artifact


def _documents_of_step(artifact: Artifact, step: int) -> Iterator[str]:
    from regraft.training.history import documents_of_step

    yield f"{artifact.id}, step {step} of {artifact.manifest.metrics['steps']}:"
    for seen in documents_of_step(artifact, step):
        yield f"  {seen.stream}  sequence {seen.sequence}  document {seen.id}  tokens {seen.start}-{seen.stop}"


def _steps_of_document(store: Store, document: str) -> Iterator[str]:
    from regraft.training.history import steps_of_document

    found = False
    for artifact in store.artifacts():
        if artifact.manifest.stage != "train":
            continue
        for seen in steps_of_document(artifact, document):
            found = True
            where = f"{seen.stream}  sequence {seen.sequence}  tokens {seen.start}-{seen.stop}"
            yield f"{artifact.id}  step {seen.step}  {where}"
    known = list(_corpora_with(store, document))
    yield from known
    if not found and not known:
        raise ArtifactError(
            f"{store.root}: {document!r} is no figure, artifact, step or document. `regraft trace` lists the artifacts."
        )
    if not found:
        yield "no training step saw it"


def _corpora_with(store: Store, document: str) -> Iterator[str]:
    """Yield where a document, or a place such as `pages.jsonl:2`, was kept or dropped, and why it was dropped."""
    import pyarrow.compute

    from regraft.corpus import tables

    pc: Any = pyarrow.compute  # its functions are made when it is imported, so no checker knows them

    for artifact in store.artifacts():
        if artifact.manifest.kind is not Kind.CORPUS:
            continue
        where = f"{artifact.id} ({artifact.manifest.step})"
        ids = tables.read_shards(artifact.path, tables.DOCUMENTS_FOLDER, tables.DOCUMENTS, ["id"])["id"]
        if pc.any(pc.equal(ids, document)).as_py():
            yield f"kept in {where}"
        rejects = tables.read_shards(artifact.path, tables.REJECTS_FOLDER, tables.REJECTS)
        for row in rejects.filter(pc.equal(rejects["id"], document)).to_pylist():
            yield f"dropped by {where}: {row['reason']}" + (f", {row['detail']}" if row["detail"] else "")
