"""Small real stages for the tests of core: they count, copy and fail."""

import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from regraft.core import ConfigError, Context, Execution, Kind, Metrics, RawFiles, many, optional, stage


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersConfig:
    count: int
    factor: float = 1.0


@stage(version=1, makes=Kind.FILES, describe=lambda config: f"{config.count} numbers")
def write_numbers(config: NumbersConfig, ctx: Context) -> Metrics:
    """Write `count` numbers, one a line; continues from scratch."""
    part = ctx.scratch / "numbers.txt"
    done = len(part.read_text("ascii").split()) if part.exists() else 0
    with part.open("a", encoding="ascii") as file, ctx.track("numbers", config.count, "lines", done) as ticker:
        for number in range(done, config.count):
            file.write(f"{number * config.factor}\n")
            file.flush()
            ticker.advance()
            time.sleep(float(os.environ.get("REGRAFT_TEST_PAUSE", "0")))
    (ctx.out / "numbers.txt").write_text(part.read_text("ascii"), "ascii")
    return {"count": config.count, "continued_at": done}


@dataclass(frozen=True, slots=True, kw_only=True)
class SumConfig:
    label: str = "sum"


@stage(version=1, makes=Kind.FILES, numbers=many(Kind.FILES), weights=optional(Kind.ANNOTATION))
def add_up(config: SumConfig, ctx: Context) -> Metrics:
    """Add up the numbers of all inputs."""
    total = sum(float(x) for a in ctx.inputs["numbers"] for x in a.file("numbers.txt").read_text("ascii").split())
    (ctx.out / "sum.txt").write_text(f"{config.label} {total}\n", "ascii")
    return {"total": total}


def two_workers(config: SumConfig, execution: Execution, inputs: Collection[str]) -> None:
    """Refuse fewer, and weights."""
    if execution.workers < 2 or "weights" in inputs:
        raise ConfigError(f"{config.label} takes two workers and no weights.")


@stage(version=1, makes=Kind.FILES, ready=two_workers, numbers=many(Kind.FILES), weights=optional(Kind.ANNOTATION))
def add_up_by_two(config: SumConfig, ctx: Context) -> Metrics:
    """Add up the numbers of all inputs."""
    return add_up(config, ctx)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyConfig:
    files: RawFiles


@stage(version=1, makes=Kind.FILES)
def copy_files(config: CopyConfig, ctx: Context) -> Metrics:
    """Copy raw files."""
    for file in config.files.files:
        target: Path = ctx.out / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(ctx.located[file].read_bytes())
    return {"files": len(config.files.files)}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailConfig:
    error: str = "boom"


@stage(version=1, makes=Kind.FILES)
def fail_halfway(config: FailConfig, ctx: Context) -> Metrics:
    """Write something, then raise; `disk full` writes to a device that is."""
    (ctx.out / "half.txt").write_text("half", "ascii")
    if config.error == "disk full":
        with Path("/dev/full").open("w", encoding="ascii") as file:
            file.write("x")
    raise RuntimeError(config.error)
