"""What each rule dropped, with examples: for people who set thresholds."""

from collections.abc import Iterator
from typing import Any

from regraft.core import Artifact, ArtifactError, Kind, Run, Store, latest_run, open_artifact

WIDTH = 150
"""Characters of an example."""


def rejection_lines(store: Store, target: str = "", examples: int = 2) -> Iterator[str]:
    """Yield, for a step or artifact (all corpora of the newest run when empty), each reason with examples.

    Raises:
        ArtifactError: nothing is named so, it is no corpus, or the store holds no finished run.
    """
    for artifact in _corpora(store, target):
        yield from _of_corpus(artifact, examples)


def run_lines(store: Store, record: Run, examples: int = 2) -> Iterator[str]:
    """Yield the same for the corpora that a run made, in its order."""
    for artifact in _made_by(store, record):
        yield from _of_corpus(artifact, examples)


def _corpora(store: Store, target: str) -> list[Artifact]:
    if target:
        artifact = store.resolve(target)
        if artifact.manifest.kind is not Kind.CORPUS:
            raise ArtifactError(f"{artifact.id} is {artifact.manifest.kind}, not a corpus: it rejects nothing.")
        return [artifact]
    record = latest_run(store)
    if record is None:
        raise ArtifactError(f"{store.root} holds no finished run. `regraft run` makes one.")
    return _made_by(store, record)


def _made_by(store: Store, record: Run) -> list[Artifact]:
    found = {name: open_artifact(store.path(name)) for name in record.steps.values()}
    return [artifact for artifact in found.values() if artifact.manifest.kind is Kind.CORPUS]


def _of_corpus(artifact: Artifact, examples: int) -> Iterator[str]:
    metrics = artifact.manifest.metrics
    kept, rejected = (int(metrics.get(key) or 0) for key in ("documents", "rejected"))
    read = int(metrics.get("documents_read") or kept + rejected)
    yield f"{artifact.manifest.step}: {kept:,} of {read:,} documents kept, {rejected:,} rejected"
    changed = {key.removeprefix("changed."): value for key, value in metrics.items() if key.startswith("changed.")}
    if changed:
        yield "  changed: " + ", ".join(f"{value:,} {what}" for what, value in changed.items())
    shown = _examples(artifact, examples)
    for reason, count in sorted(_reasons(artifact).items(), key=lambda item: -item[1]):
        yield f"  {reason}: {count:,} ({count / max(read, 1):.1%} of what was read)"
        for row in shown.get(reason, ()):
            detail = f" ({row['detail']})" if row["detail"] else ""
            yield f"      {row['id']}{detail}: {_line(row['excerpt'])}"


def _reasons(artifact: Artifact) -> dict[str, int]:
    given = artifact.manifest.metrics.items()
    return {key.removeprefix("rejected."): int(n or 0) for key, n in given if key.startswith("rejected.")}


def _examples(artifact: Artifact, count: int) -> dict[str, list[dict[str, Any]]]:
    """Return some rejects of each reason: the first ones in the order of their documents."""
    from regraft.corpus import tables

    found: dict[str, list[dict[str, Any]]] = {}
    missing = {reason: min(count, total) for reason, total in _reasons(artifact).items()}
    for path in tables.shards(artifact.path, tables.REJECTS_FOLDER):
        for batch in tables.batches(path, tables.REJECTS, 1000):
            if not any(missing.values()):
                return found
            for row in batch.to_pylist():
                if missing.get(row["reason"]):
                    missing[row["reason"]] -= 1
                    found.setdefault(row["reason"], []).append(row)
    return found


def _line(excerpt: str) -> str:
    text = " ".join(excerpt.split())
    return text if len(text) <= WIDTH else text[: WIDTH - 2] + " …"
