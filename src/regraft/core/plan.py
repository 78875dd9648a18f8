"""What a run would do, before it does anything: which steps are reused, which are made, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from regraft.core.artifact import Artifact, artifact_id
from regraft.core.execution import Execution
from regraft.core.fingerprint import canonical, class_name, differences, fingerprint
from regraft.core.sources import Hashes, SourceFile, pin
from regraft.core.stage import Step, walk
from regraft.core.store import Store


class Action(StrEnum):
    """What a run does with a step."""

    REUSE = "reuse"
    MAKE = "make"
    REMAKE = "re-make"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A step with its identity and what is to be done about it."""

    step: Step[Any]
    config: Any
    """The config with its raw files pinned."""
    fingerprint: str
    action: Action
    reasons: tuple[str, ...]
    located: Mapping[SourceFile, Path] = field(repr=False)

    @property
    def id(self) -> str:
        return artifact_id(self.step.stage.name, self.fingerprint)

    @property
    def summary(self) -> str:
        """What the config amounts to, in the words of its stage."""
        describe = self.step.stage.describe
        return describe(self.config) if describe else ""


def plan(steps: Iterable[Step[Any]], store: Store, execution: Execution) -> list[Planned]:
    """Return every step that a run would visit, inputs first, with what it would do and why. Makes nothing.

    Raises:
        ConfigError: two steps share a name, a value has no stable form, or raw files are missing.
    """
    planned: dict[Step[Any], Planned] = {}
    newest = _newest(store)
    hashes = Hashes(execution.hashes)
    for step in walk(steps):
        planned[step] = _plan_step(step, planned, newest, store, execution.data_root, hashes)
    hashes.save()
    return list(planned.values())


def _plan_step(
    step: Step[Any],
    planned: Mapping[Step[Any], Planned],
    newest: Mapping[tuple[str, str], Artifact],
    store: Store,
    data_root: Path,
    hashes: Hashes,
) -> Planned:
    located: dict[SourceFile, Path] = {}
    config = pin(step.config, data_root, hashes, located, f"step {step.name!r}: config")
    identity = _identity(step, config, planned)
    action, reasons = _decide(step, config, identity, planned, newest, store)
    return Planned(step=step, config=config, fingerprint=identity, action=action, reasons=reasons, located=located)


def _identity(step: Step[Any], config: Any, planned: Mapping[Step[Any], Planned]) -> str:
    inputs = {role: [planned[s].fingerprint for s in steps] for role, steps in step.inputs.items()}
    whole = {
        "stage": class_name(step.stage.function),
        "version": step.stage.version,
        "config": config,
        "inputs": inputs,
    }
    return fingerprint(whole, f"step {step.name!r}")


def _decide(
    step: Step[Any],
    config: Any,
    identity: str,
    planned: Mapping[Step[Any], Planned],
    newest: Mapping[tuple[str, str], Artifact],
    store: Store,
) -> tuple[Action, tuple[str, ...]]:
    name = artifact_id(step.stage.name, identity)
    if store.find(step.stage.name, identity) is not None:
        return Action.REUSE, ()
    scratch = store.scratch(name)
    if scratch.is_dir() and any(scratch.iterdir()):
        return Action.CONTINUE, ("an earlier run was cut off, or failed",)
    old = newest.get((step.name, step.stage.name))
    if old is None:
        return Action.MAKE, ()
    return Action.REMAKE, tuple(_changes(step, config, planned, old)) or ("its artifact was removed",)


def _changes(step: Step[Any], config: Any, planned: Mapping[Step[Any], Planned], old: Artifact) -> list[str]:
    lines: list[str] = []
    if old.manifest.version != step.stage.version:
        lines.append(f"version {old.manifest.version} -> {step.stage.version} of stage {step.stage.name}")
    lines += differences(old.manifest.config, canonical(config))
    before = [(i.role, i.artifact) for i in old.manifest.inputs]
    now = [(role, planned[s]) for role, steps in step.inputs.items() for s in steps]
    if before != [(role, p.id) for role, p in now] and sorted(before) == sorted((role, p.id) for role, p in now):
        lines.append("its inputs stand in another order")
    lines += [f"input {role} is now {p.id} ({p.step.name})" for role, p in now if (role, p.id) not in before]
    kept = {(role, p.id) for role, p in now}
    return lines + [
        f"input {role} {name} is gone" for role, name in before if (role, name) not in kept and len(before) > len(now)
    ]


def _newest(store: Store) -> dict[tuple[str, str], Artifact]:
    by_age = sorted(store.readable_artifacts(), key=lambda a: a.manifest.provenance.started)
    return {(a.manifest.step, a.manifest.stage): a for a in by_age}
