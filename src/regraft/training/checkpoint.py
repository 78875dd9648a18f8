"""What a killed training continues from: tensors, position, shares, controller, together and whole, or not there.

`checkpoints/` in the scratch of a training holds `step-000000123/` directories, each with the tensors as
torch.distributed.checkpoint wrote them (any number of processes may read them), `state.json`, and `sums.json` with size
and SHA-256 of every other file. One is written beside its place, in the background, flushed and renamed; the file
`latest` is moved last and names the newest. The newest few stay, and those that a training may roll back to.
"""

import errno
import hashlib
import json
import logging
import shutil
import warnings
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from regraft.core import RegraftError
from regraft.core.artifact import flush_directory, flush_tree
from regraft.training.parallel import Ranks

FOLDER, LATEST = "checkpoints", "latest"
TENSORS, STATE, SUMS = "tensors", "state.json", "sums.json"
PREFIX, UNFINISHED = "step-", "unfinished-"
KEPT = 2
"""Newest checkpoints that stay: where one is damaged on disk, the one before is taken."""

T = TypeVar("T")
Tensors = Mapping[str, torch.Tensor]

logging.getLogger("c10d-NullHandler-dcp_logger").setLevel(logging.WARNING)  # it notes every tensor
warnings.filterwarnings("ignore", message="torch.distributed is disabled, unavailable or uninitialized")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint: the step after which it was written, and its JSON state."""

    folder: Path
    step: int
    state: Mapping[str, Any]

    def load(self, tensors: Tensors) -> None:
        """Fill `tensors` in place with what was saved under their names; their layout may be another one now."""
        with _errors_as_they_were():
            load(dict(tensors), checkpoint_id=self.folder / TENSORS, no_dist=not dist.is_initialized())


@dataclass(kw_only=True)
class Checkpoints:
    """The checkpoints of a training, in `scratch`. Every process calls the same methods in the same order."""

    scratch: Path
    ranks: Ranks
    log: logging.Logger
    keep: set[int] = field(default_factory=set[int])
    """Steps whose checkpoints stay however old they are."""

    def __post_init__(self) -> None:
        self.folder = self.scratch / FOLDER
        self._writer = ThreadPoolExecutor(1, "checkpoint")
        self._pending: Future[None] | None = None
        several = self.ranks.size > 1
        self._group: Any = (
            dist.new_group(backend="gloo") if several else None
        )  # the training uses its own at the same time
        if self.ranks.first:
            self.folder.mkdir(parents=True, exist_ok=True)
            for torn in self.folder.glob(f"{UNFINISHED}*"):
                shutil.rmtree(torn)
            whole = self._steps()
            self._remove(step for step in self._steps(given_up=True) if step not in whole)
        self.ranks.wait()

    @property
    def busy(self) -> bool:
        """Whether one is still being written."""
        return self._pending is not None and not self._pending.done()

    def save(self, step: int, tensors: Tensors, state: Mapping[str, Any]) -> None:
        """Begin to write a checkpoint; what becomes of `tensors` after the call does not change it.

        Args:
            step: after which it is written.
            tensors: by name; the same names on every process.
            state: JSON data; the same on every process.

        Raises:
            OSError: the one before could not be written.
        """
        self.wait()
        stager = DefaultStager(StagingOptions(False, False, False, False))
        staged = stager.stage(dict(tensors))
        stager.close()
        text = json.dumps({"step": step, **state})
        self._pending = self._writer.submit(self._write, step, staged, text, frozenset(self.keep))

    def wait(self) -> None:
        """Return once the last one is whole on disk.

        Raises:
            OSError: it could not be written.
        """
        pending, self._pending = self._pending, None
        if pending:
            pending.result()

    def latest(self) -> Checkpoint | None:
        """Return the newest whole checkpoint, None when none was ever finished.

        A damaged one is passed over with a warning, and the one before is taken.

        Raises:
            RegraftError: there are some, and all are damaged.
        """
        self.wait()
        found, reasons = self._told(self._newest_whole() if self.ranks.first else (None, []))
        if found is None and reasons:
            raise RegraftError(
                f"Every checkpoint in {self.folder} is damaged: {'; '.join(reasons)}. Mend the disk and put the files "
                "back, or remove that directory to train from the start."
            )
        return None if found is None else self._at(found)

    def back_to(self, step: int) -> Checkpoint:
        """Return the checkpoint of `step`, the newest one from now on: what came after it is given up."""
        self.wait()
        if self.ranks.first:
            self._point_to(step)
            self._remove(later for later in self._steps(given_up=True) if later > step)
        self.ranks.wait()
        return self._at(step)

    def close(self) -> None:
        """Wait for what is being written and end the writer."""
        try:
            self.wait()
        finally:
            self._writer.shutdown()

    def _write(self, step: int, staged: Any, state: str, keep: frozenset[int]) -> None:
        part = self.folder / f"{UNFINISHED}{step:09d}"
        with _errors_as_they_were(), self._full_disk_named(sum(tensor.nbytes for tensor in staged.values())):
            save(staged, checkpoint_id=part / TENSORS, process_group=self._group, no_dist=self._group is None)
        if not self.ranks.first:
            return
        (part / STATE).write_text(state, "utf-8")
        (part / SUMS).write_text(json.dumps(_sums(part), indent=1), "utf-8")
        flush_tree(part)
        target = self._place(step)
        shutil.rmtree(target, ignore_errors=True)  # of a course that was given up
        part.rename(target)
        self._point_to(step)
        stay = {*self._steps()[:KEPT], *keep}
        self._remove(old for old in self._steps(given_up=True) if old not in stay)

    @contextmanager
    def _full_disk_named(self, needed: int) -> Generator[None]:
        """Raise that the disk is full where less than `needed` bytes are free: torch tells of positions in a file."""
        try:
            yield
        except CheckpointException as error:
            if shutil.disk_usage(self.folder).free < needed:
                raise OSError(errno.ENOSPC, f"no space left for a checkpoint of {needed:,} bytes") from error
            raise

    def _point_to(self, step: int) -> None:
        part = self.folder / f"{LATEST}.part"
        part.write_text(self._place(step).name, "utf-8")
        part.replace(self.folder / LATEST)
        flush_directory(self.folder)

    def _remove(self, steps: Iterable[int]) -> None:
        for step in steps:
            shutil.rmtree(self._place(step))

    def _steps(self, *, given_up: bool = False) -> list[int]:
        """Return the steps of what may be whole, newest first; with what stands after the pointer and is `given_up`."""
        pointer = self.folder / LATEST
        newest = pointer.read_text("utf-8") if pointer.exists() and not given_up else None
        names = [p.name for p in self.folder.glob(f"{PREFIX}*") if newest is None or p.name <= newest]
        return sorted((int(name.removeprefix(PREFIX)) for name in names), reverse=True)

    def _place(self, step: int) -> Path:
        return self.folder / f"{PREFIX}{step:09d}"

    def _at(self, step: int) -> Checkpoint:
        folder = self._place(step)
        return Checkpoint(folder, step, json.loads((folder / STATE).read_text("utf-8")))

    def _newest_whole(self) -> tuple[int | None, list[str]]:
        """Return the newest step whose checkpoint is whole, and what is wrong with newer ones."""
        reasons: list[str] = []
        for step in self._steps():
            if not (reason := _damage(self._place(step))):
                return step, reasons
            self.log.warning("checkpoint of step %d is damaged and passed over: %s", step, reason)
            reasons.append(reason)
        return None, reasons

    def _told(self, found: T) -> T:
        """Return what the first process has found, on every process: on a shared disk others may see less of it."""
        told = [found]
        if self._group is not None:
            dist.broadcast_object_list(told, 0, group=self._group)
        return told[0]


@contextmanager
def _errors_as_they_were() -> Generator[None]:
    """Raise what went wrong in a process as such: torch wraps it into what no `except Exception` sees."""
    try:
        yield
    except CheckpointException as error:
        first = next(iter(error.failures.values()))[0]
        raise first from None


def _damage(folder: Path) -> str:
    try:
        expected = json.loads((folder / SUMS).read_text("utf-8"))
        found = _sums(folder)
    except (OSError, ValueError) as error:
        return f"{folder.name}/{SUMS}: {error}"
    for name, sums in expected.items():
        if name not in found:
            return f"{folder.name}/{name} is missing"
        if found[name] != sums:
            return f"{folder.name}/{name} has other bytes than were written"
    return ""


def _sums(folder: Path) -> dict[str, list[int | str]]:
    """Return size and SHA-256 of every file but `sums.json`."""
    sums: dict[str, list[int | str]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SUMS):
        with path.open("rb") as file:
            sums[str(path.relative_to(folder))] = [
                path.stat().st_size,
                hashlib.file_digest(file, "sha256").hexdigest(),
            ]
    return sums
