"""Run a recipe: make what is not there yet, one artifact at a time; a crash at any moment loses no finished work."""

import errno
import json
import logging
import shutil
import traceback
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from regraft.core.artifact import FORMAT, Artifact, InputRecord, Manifest, Metrics, record_files, seal
from regraft.core.errors import RegraftError, StepFailed
from regraft.core.execution import Execution
from regraft.core.fingerprint import canonical
from regraft.core.lock import exclusive
from regraft.core.plan import Action, Planned, plan
from regraft.core.provenance import Clock, reset_peak_memory
from regraft.core.sources import Hashes, check_unchanged
from regraft.core.stage import Context, Progress, Silent, Step
from regraft.core.store import FAILURE, Store

LOG = logging.getLogger("regraft")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Which artifact stood for which step, and what was done for it: the record that a report starts from."""

    recipe: str
    started: str
    parameters: Mapping[str, Any]
    steps: Mapping[str, str]
    """Step name -> artifact id, in the order of the run."""
    actions: Mapping[str, str]
    """Step name -> `reuse`, `make`, `re-make` or `continue`."""

    def save(self, store: Store) -> Path:
        store.runs.mkdir(parents=True, exist_ok=True)
        path = store.runs / f"{self.started.replace(':', '')}-{_file_name(self.recipe)}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(_plain(self), indent=1, ensure_ascii=False), "utf-8")
        part.replace(path)
        return path


def load_run(path: Path) -> Run:
    """Read the record of a run."""
    return Run(**json.loads(path.read_text("utf-8")))


def latest_run(store: Store, recipe: str = "") -> Run | None:
    """Return the newest finished run of a recipe (of any recipe when empty), None when there is none."""
    paths = sorted(store.runs.glob(f"*-{_file_name(recipe)}.json" if recipe else "*.json"), reverse=True)
    return load_run(paths[0]) if paths else None


def run(
    steps: Iterable[Step[Any]],
    store: Store,
    execution: Execution | None = None,
    progress: Progress | None = None,
    recipe: str = "",
    parameters: Mapping[str, Any] | None = None,
) -> Run:
    """Make every step that is not in the store yet and return the record of the run.

    Raises:
        ConfigError: the recipe is wrong, or a step cannot be made by the means of `execution`; nothing has run.
        StoreBusy: another process is making one of the artifacts.
        StepFailed: a step raised; everything made before it stays.
    """
    execution = execution or Execution()
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    planned = plan(steps, store, execution)
    for item in planned:
        if item.action is not Action.REUSE:
            item.step.check_means(execution)
    made: dict[Step[Any], Artifact] = {}
    for number, item in enumerate(planned, start=1):
        made[item.step] = _reuse_or_make(
            item, made, store, execution, progress or Silent(), f"[{number}/{len(planned)}]"
        )
    record = Run(
        recipe=recipe,
        started=started,
        parameters=dict(parameters or {}),
        steps={item.step.name: item.id for item in planned},
        actions={item.step.name: item.action.value for item in planned},
    )
    before = latest_run(store, recipe)
    if before is None or before.steps != record.steps or any(item.action is not Action.REUSE for item in planned):
        record.save(store)
    return record


def _reuse_or_make(
    item: Planned,
    made: Mapping[Step[Any], Artifact],
    store: Store,
    execution: Execution,
    progress: Progress,
    number: str,
) -> Artifact:
    found = store.find(item.step.stage.name, item.fingerprint)
    if found is not None:
        LOG.info("%s %s: reused %s", number, item.step.name, item.id)
        shutil.rmtree(store.scratch(item.id), ignore_errors=True)  # a kill just after sealing leaves it
        return found
    why = f" ({'; '.join(item.reasons[:3])})" if item.reasons else ""
    LOG.info("%s %s: %s %s%s", number, item.step.name, item.action.value, item.id, why)
    with exclusive(store.lock(item.id), f"{item.id} (step {item.step.name!r})"):
        return store.find(item.step.stage.name, item.fingerprint) or _make(item, made, store, execution, progress)


def _make(
    item: Planned, made: Mapping[Step[Any], Artifact], store: Store, execution: Execution, progress: Progress
) -> Artifact:
    clock = Clock()
    reset_peak_memory()
    ctx = Context(
        out=_empty(store.unfinished(item.id)),
        scratch=_existing(store.scratch(item.id)),
        execution=execution,
        inputs={role: tuple(made[s] for s in steps) for role, steps in item.step.inputs.items()},
        located=item.located,
        log=LOG.getChild(item.step.name),
        progress=progress,
    )
    with _kept_on_failure(item, ctx.out, store):
        check_unchanged(item.located, Hashes(execution.hashes))
        metrics = item.step.stage(item.config, ctx)
        check_unchanged(item.located, Hashes(execution.hashes))
        manifest = _manifest(item, made, metrics, ctx.out, clock, execution)
        artifact = seal(ctx.out, manifest, store.path(item.id))
    shutil.rmtree(ctx.scratch, ignore_errors=True)  # a worker of a killed run may still write there
    LOG.info("%s: done in %.1f s", item.step.name, manifest.provenance.seconds)
    return artifact


def _manifest(
    item: Planned,
    made: Mapping[Step[Any], Artifact],
    metrics: Metrics,
    out: Path,
    clock: Clock,
    execution: Execution,
) -> Manifest:
    inputs = tuple(
        InputRecord(role=role, step=s.name, artifact=made[s].id, fingerprint=made[s].manifest.fingerprint)
        for role, steps in item.step.inputs.items()
        for s in steps
    )
    return Manifest(
        format=FORMAT,
        step=item.step.name,
        stage=item.step.stage.name,
        version=item.step.stage.version,
        kind=item.step.stage.makes,
        fingerprint=item.fingerprint,
        config=canonical(item.config),
        inputs=inputs,
        files=record_files(out),
        metrics=dict(metrics),
        provenance=clock.read(execution.device),
    )


@contextmanager
def _kept_on_failure(item: Planned, out: Path, store: Store) -> Generator[None]:
    """Keep what a failing step wrote in `.failed-*`, with its error, and say where."""
    try:
        yield
    except Exception as error:
        kept = store.failed(item.id)
        shutil.rmtree(kept, ignore_errors=True)
        out.rename(kept)
        _write_error(kept, item.step.name, error)
        raise StepFailed(_failure(item, error, kept)) from error


def _failure(item: Planned, error: Exception, kept: Path) -> str:
    what = str(error) if isinstance(error, RegraftError) else f"{type(error).__name__}: {error}"
    if _disk_is_full(error):
        free = shutil.disk_usage(kept.parent).free
        what = f"the disk is full ({what}; {free:,} bytes free). Free some space and run again"
    return f"step {item.step.name!r} failed: {what}\nWhat it wrote is kept in {kept}; all steps before it are finished."


def _disk_is_full(error: BaseException | None) -> bool:
    """Say whether an error or one that it stems from is a full disk; libraries often leave only its words."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(words in str(error).lower() for words in ("os error 28", "no space left", "disk is full")):
            return True
        error = error.__cause__ or error.__context__
    return False


def _write_error(kept: Path, step: str, error: Exception) -> None:
    try:
        note = {"step": step, "ended": datetime.now(UTC).isoformat(timespec="seconds")}
        (kept / FAILURE).write_text(json.dumps(note), "utf-8")
        (kept / "error.txt").write_text("".join(traceback.format_exception(error)), "utf-8")
    except OSError:
        LOG.warning("could not write %s", kept / "error.txt")


def _empty(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def _existing(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _file_name(recipe: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "_" for c in recipe) or "run"


def _plain(record: Run) -> dict[str, Any]:
    return {
        "recipe": record.recipe,
        "started": record.started,
        "parameters": json.loads(json.dumps(dict(record.parameters), default=str)),
        "steps": dict(record.steps),
        "actions": dict(record.actions),
    }
