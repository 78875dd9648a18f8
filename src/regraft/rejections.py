"""What each rule dropped, with examples: for people who set thresholds. Of finished steps, and of those that failed."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from regraft.core import Artifact, ArtifactError, Failure, Kind, Run, Store, latest_run, open_artifact


def rejection_lines(store: Store, target: str = "", examples: int = 2) -> Iterator[str]:
    """Yield each reason with examples, for a step, artifact or folder of a failed step.

    With no target: of the step that failed last, or of all corpora of the newest run if that is newer.

    Raises:
        ArtifactError: nothing is named so, it rejected nothing, or the store holds no run.
    """
    failure = _failure(store, target)
    if failure is not None:
        yield from _of_failure(failure, examples)
        return
    for artifact in _corpora(store, target):
        yield from _of_corpus(artifact, examples)


def run_lines(store: Store, record: Run, examples: int = 2) -> Iterator[str]:
    """Yield the same for the corpora that a run made, in its order."""
    for artifact in _made_by(store, record):
        yield from _of_corpus(artifact, examples)


def _failure(store: Store, target: str) -> Failure | None:
    """Return the newest failure of this name, with rejects if there is no name; None where something was made since."""
    found = [failure for failure in store.failures() if _is_meant(failure, target)]
    if not found:
        return None
    made = _made_at(store, target)
    return found[-1] if made is None or datetime.fromisoformat(found[-1].ended) > made else None


def _is_meant(failure: Failure, target: str) -> bool:
    if not target:
        return _holds_rejects(failure)
    name = Path(target).name.removeprefix(".failed-")  # the whole path stands in the message
    return failure.step == target or failure.artifact.startswith(name)


def _holds_rejects(failure: Failure) -> bool:
    from regraft.corpus.rows import rejects

    return next(rejects(failure.path), None) is not None


def _made_at(store: Store, target: str) -> datetime | None:
    """Return when the newest run, or the newest artifact of this step, was begun; None for never."""
    record = latest_run(store)
    steps = (a.manifest for a in store.readable_artifacts() if a.manifest.step == target)
    begun = [m.provenance.started for m in steps] if target else [record.started] if record else []
    return max(map(datetime.fromisoformat, begun), default=None)


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
    yield from _of_reasons(artifact.path, _reasons(artifact), read, examples)


def _of_failure(failure: Failure, examples: int) -> Iterator[str]:
    """Yield the same for what a step had rejected when it failed."""
    from regraft.corpus.rows import rejects

    reasons = Counter(str(row["reason"]) for row in rejects(failure.path))
    if not reasons:
        raise ArtifactError(
            f"{failure.step} failed before it rejected anything; {failure.path / 'error.txt'} says why."
        )
    yield f"{failure.step} failed (see {failure.path / 'error.txt'}): {reasons.total():,} documents rejected"
    yield from _of_reasons(failure.path, reasons, reasons.total(), examples)


def _of_reasons(corpus: Path, reasons: Mapping[str, int], read: int, examples: int) -> Iterator[str]:
    from regraft.corpus.rows import rejected_as

    shown = _examples(corpus, reasons, examples)
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        yield f"  {reason}: {count:,} ({count / max(read, 1):.1%} of what was read)"
        yield from (f"      {rejected_as(row)}" for row in shown.get(reason, ()))


def _reasons(artifact: Artifact) -> dict[str, int]:
    given = artifact.manifest.metrics.items()
    return {key.removeprefix("rejected."): int(n or 0) for key, n in given if key.startswith("rejected.")}


def _examples(corpus: Path, reasons: Mapping[str, int], count: int) -> dict[str, list[dict[str, Any]]]:
    """Return some rejects of each reason: the first ones in the order of their documents."""
    from regraft.corpus.rows import rejects

    found: dict[str, list[dict[str, Any]]] = {}
    missing = {reason: min(count, total) for reason, total in reasons.items()}
    for row in rejects(corpus) if any(missing.values()) else ():
        if missing.get(row["reason"]):
            missing[row["reason"]] -= 1
            found.setdefault(row["reason"], []).append(row)
            if not any(missing.values()):
                break
    return found
