"""A stage is a function `(config, ctx) -> metrics`; a step is a stage with its config, a name and its inputs.

The config says *what* and is all of a step's identity. The context says *where and by what means* and never is.
"""

import inspect
import logging
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, get_type_hints

from regraft.core.artifact import Artifact, Metrics
from regraft.core.errors import ConfigError
from regraft.core.execution import Execution
from regraft.core.fingerprint import canonical
from regraft.core.kinds import Kind
from regraft.core.sources import SourceFile
from regraft.core.typecheck import check_fields

C = TypeVar("C")
D = TypeVar("D", contravariant=True)


class Ticker(Protocol):
    """Progress of one piece of work."""

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Say that `amount` more is done; `note` is a short text to show beside the bar."""
        ...


class Progress(Protocol):
    """Where progress is shown: a terminal, plain lines, nowhere."""

    def track(self, label: str, total: float, unit: str, done: float = 0) -> Ticker:
        """Start to show a piece of work of `total` units of which `done` are done already."""
        ...

    def finish(self, ticker: Ticker) -> None:
        """Stop showing it."""
        ...


class Silent:
    """Shows nothing."""

    def track(self, label: str, total: float, unit: str, done: float = 0) -> Ticker:
        return self

    def advance(self, amount: float = 1, note: str = "") -> None:
        pass

    def finish(self, ticker: Ticker) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a stage works and by what means."""

    out: Path
    """Empty directory to write to; it becomes the artifact."""
    scratch: Path
    """Survives a crash of this step, so that the next run continues; removed once the artifact is made."""
    execution: Execution = field(default_factory=Execution)
    inputs: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict[str, tuple[Artifact, ...]])
    """Role -> finished artifacts, read only."""
    located: Mapping[SourceFile, Path] = field(default_factory=dict[SourceFile, Path])
    """Where the pinned raw files of the config lie."""
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("regraft"))
    progress: Progress = field(default_factory=Silent)

    def input(self, role: str) -> Artifact:
        """Return the one artifact of a role that takes exactly one."""
        return self.inputs[role][0]

    def optional(self, role: str) -> Artifact | None:
        """Return the artifact of an optional role, None when none was given."""
        given = self.inputs.get(role, ())
        return given[0] if given else None

    @contextmanager
    def track(self, label: str, total: float, unit: str, done: float = 0) -> Generator[Ticker]:
        """Show progress of a piece of work: `with ctx.track("score", len(docs), "documents") as ticker: ...`."""
        ticker = self.progress.track(label, total, unit, done)
        try:
            yield ticker
        finally:
            self.progress.finish(ticker)


@dataclass(frozen=True, slots=True)
class Role:
    """What a stage asks for under one name."""

    kind: Kind
    many: bool = False
    required: bool = True


def many(kind: Kind) -> Role:
    """One or more artifacts of a kind."""
    return Role(kind, many=True)


def optional(kind: Kind) -> Role:
    """At most one artifact of a kind."""
    return Role(kind, required=False)


@dataclass(frozen=True, eq=False)
class Step(Generic[C]):
    """One piece of work in a recipe: compared by identity, named for people, wired to the steps that it needs."""

    name: str
    stage: "Stage[C]"
    config: C
    inputs: Mapping[str, tuple["Step[Any]", ...]]

    def __repr__(self) -> str:
        return f"Step({self.name!r}, {self.stage.name})"

    def check_means(self, execution: Execution) -> None:
        """See whether the step can be made by these means.

        Raises:
            ConfigError: it cannot; the message names the step.
        """
        if self.stage.ready is not None:
            try:
                self.stage.ready(self.config, execution, self.inputs)
            except ConfigError as error:
                raise ConfigError(f"step {self.name!r}: {error}") from error


class Ready(Protocol[D]):
    """Sees whether a step can be made by the means that are given; what it raises is a `ConfigError`."""

    def __call__(self, config: D, execution: Execution, inputs: Collection[str], /) -> None:
        """`inputs` are the roles that are wired."""
        ...


@dataclass(frozen=True)
class Stage(Generic[C]):
    """A stage function with its version, what it makes and what it asks for. Made by `@stage`."""

    function: Callable[[C, Context], Metrics]
    config_type: type
    version: int
    makes: Kind
    roles: Mapping[str, Role]
    describe: Callable[[C], str] | None = None
    ready: "Ready[C] | None" = None

    @property
    def name(self) -> str:
        return self.function.__name__

    def __call__(self, config: C, ctx: Context) -> Metrics:
        return self.function(config, ctx)

    def step(self, name: str, config: C, /, **inputs: Step[Any] | Sequence[Step[Any]] | None) -> Step[C]:
        """Bind this stage to a config and to the steps whose artifacts it reads.

        Raises:
            ConfigError: wrong type of config or field, a value without stable form, a missing, unknown or wrongly
                wired input. The message names the step and the place.
        """
        place = f"step {name!r}"
        if not isinstance(config, self.config_type):
            raise ConfigError(
                f"{place}: stage {self.name} takes a {self.config_type.__name__}, not a {type(config).__name__}."
            )
        check_fields(config, f"{place}: config")
        canonical(config, f"{place}: config")
        return Step(name, self, config, self._wire(place, inputs))

    def _wire(
        self, place: str, inputs: Mapping[str, Step[Any] | Sequence[Step[Any]] | None]
    ) -> dict[str, tuple[Step[Any], ...]]:
        for role in inputs:
            if role not in self.roles:
                raise ConfigError(f"{place}: stage {self.name} has no input {role!r}; it has {sorted(self.roles)}.")
        wired = {role: _steps(inputs.get(role)) for role in self.roles}
        for role, asked in self.roles.items():
            self._check_role(f"{place}: input {role!r}", asked, wired[role])
        return {role: steps for role, steps in wired.items() if steps}

    def _check_role(self, place: str, asked: Role, steps: tuple[Step[Any], ...]) -> None:
        if asked.required and not steps:
            raise ConfigError(f"{place} is missing; stage {self.name} needs a step that makes {asked.kind}.")
        if len(steps) > 1 and not asked.many:
            raise ConfigError(f"{place} takes one step, not {len(steps)}.")
        for step in steps:
            if not isinstance(step, Step):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ConfigError(f"{place} is a {type(step).__name__}; give a step.")
            if step.stage.makes is not asked.kind:
                raise ConfigError(f"{place} takes {asked.kind}, but step {step.name!r} makes {step.stage.makes}.")


def stage(
    *,
    version: int,
    makes: Kind,
    describe: Callable[[Any], str] | None = None,
    ready: Ready[Any] | None = None,
    **roles: Kind | Role,
) -> Callable[[Callable[[C, Context], Metrics]], Stage[C]]:
    """Turn a function `(config, ctx) -> metrics` into a stage.

    Args:
        version: raised by hand when the same config would mean another output.
        makes: the kind of the artifact.
        describe: what a config amounts to, in a few words, for `regraft plan`; for training the token budget.
        ready: sees whether the means of a run will do, before its first step; what takes hours should not end for want
            of what could be told in the first second.
        **roles: the inputs by name: a kind for exactly one artifact, `many(kind)` or `optional(kind)`.
    """

    def decorate(function: Callable[[C, Context], Metrics]) -> Stage[C]:
        config_type = _config_type(function)
        asked = {role: Role(kind) if isinstance(kind, Kind) else kind for role, kind in roles.items()}
        return Stage(function, config_type, version, makes, asked, describe, ready)

    return decorate


def walk(steps: Iterable[Step[Any]]) -> list[Step[Any]]:
    """Return the given steps and all that they need, each once, inputs before what reads them.

    Raises:
        ConfigError: two different steps have one name.
    """
    ordered: dict[Step[Any], None] = {}
    pending = [(step, False) for step in reversed(list(steps))]
    while pending:
        step, inputs_done = pending.pop()
        if step in ordered:
            continue
        if inputs_done:
            ordered[step] = None
            continue
        pending.append((step, True))
        needed = [needed for inputs in step.inputs.values() for needed in inputs]
        pending += [(other, False) for other in reversed(needed) if other not in ordered]
    names: dict[str, Step[Any]] = {}
    for step in ordered:
        if names.setdefault(step.name, step) is not step:
            raise ConfigError(f"Two steps are named {step.name!r}. Give each step of a recipe its own name.")
    return list(ordered)


def _steps(given: Step[Any] | Sequence[Step[Any]] | None) -> tuple[Step[Any], ...]:
    if given is None:
        return ()
    return tuple(given) if isinstance(given, list | tuple) else (given,)  # pyright: ignore[reportReturnType]


def _config_type(function: Callable[..., Any]) -> type:
    first = next(iter(inspect.signature(function).parameters))
    config_type = get_type_hints(function)[first]
    if not is_dataclass(config_type):
        raise TypeError(f"{function.__name__}: the config must be annotated with a dataclass, not {config_type!r}.")
    return config_type  # pyright: ignore[reportReturnType]
