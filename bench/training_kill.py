"""kill -9 of a training at random moments, again and again until it ends: is what comes out the same, bit for bit?

python -m bench.training_kill --kills 30
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.results import Result, Table
from regraft.core import open_artifact

CLAIM = (
    "After kill -9 at thirty random moments, during checkpoint writes included, a training of one or of two processes "
    "gives the same losses, gradient norms, data and weights, bit for bit."
)
SIDES = {
    "one process": (),
    "two processes, DDP": ("--launcher", "torchrun --nproc-per-node 2", "--parallel", "ddp"),
    "two processes, FSDP2": ("--launcher", "torchrun --nproc-per-node 2", "--parallel", "fsdp"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One kill, and what stood on disk at that moment."""

    seconds: float
    step: int
    """Of the newest whole checkpoint; 0 before the first."""
    writing: bool
    """Whether a checkpoint was half written."""


def command(store: Path, means: tuple[str, ...]) -> list[str]:
    """Return the command of the training, which writes a checkpoint after every step."""
    recipe = str(Path(__file__).with_name("killed.py"))
    always = ["--compile", "off", "--checkpoint-seconds", "0"]
    return [sys.executable, "-m", "regraft", "run", f"{recipe}:training", "--store", str(store), *always, *means]


def run(store: Path, means: tuple[str, ...], log: Path) -> None:
    """Run it to its end."""
    with log.open("wb") as output:
        subprocess.run(command(store, means), stdout=output, stderr=subprocess.STDOUT, check=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When to kill: so many checkpoints after the newest, then so many seconds, then perhaps in a write."""

    checkpoints: int
    seconds: float
    in_write: bool

    @staticmethod
    def drawn(draw: random.Random) -> "Moment":
        """Return one; every sixth is before anything new is written, while the training starts."""
        new = draw.randrange(6)
        return Moment(checkpoints=new, seconds=draw.uniform(0, 0.3 if new else 6), in_write=draw.random() < 0.5)


def kill(store: Path, means: tuple[str, ...], moment: Moment, log: Path) -> Kill | None:
    """Start it and kill all its processes at that moment; return None when it had ended by then."""
    start, begun, before = time.monotonic(), time.time(), _state(store, 0)[0]
    with log.open("wb") as output:
        child = subprocess.Popen(command(store, means), stdout=output, stderr=subprocess.STDOUT)
        while child.poll() is None and _state(store, begun)[0] < before + moment.checkpoints:
            time.sleep(0.002)
        with suppress(subprocess.TimeoutExpired):
            child.wait(moment.seconds)
        while moment.in_write and child.poll() is None and not _state(store, begun)[1]:
            time.sleep(0.0005)
        seconds = time.monotonic() - start
        if child.poll() is not None:
            return None
        child.kill()
        child.wait()
        for process in _workers(store):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    step, writing = _state(store, begun)
    return Kill(seconds=seconds, step=step, writing=writing)


def _state(store: Path, begun: float) -> tuple[int, bool]:
    """Return the step of the newest whole checkpoint, 0 for none, and whether one is half written since `begun`."""
    newest, writing = 0, False
    for folder in store.glob(".scratch/train-*/checkpoints/*-0*"):
        with suppress(FileNotFoundError):
            writing |= folder.name.startswith("unfinished-") and folder.stat().st_mtime >= begun
            newest = max(newest, int(folder.name[-9:])) if folder.name.startswith("step-") else newest
    return newest, writing


def _workers(store: Path) -> list[int]:
    """Return the processes that a launcher started for a training in `store`, itself included."""
    found: list[int] = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            words = (process / "cmdline").read_text("utf-8", "replace") if process.name.isdigit() else ""
            if str(store) in words and "job.pickle" in words:
                found.append(int(process.name))
    return sorted(found)


def digest(store: Path) -> str:
    """Return that of all that the training made, tables and weights, clock times left out."""
    return open_artifact(next(store.glob("train-*"))).manifest.content_digest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("bench/.work/training_kill"), help="scratch folder")
    parser.add_argument("--results", type=Path, default=Path("bench/results"), help="folder for what is found")
    parser.add_argument("--kills", type=int, default=30, help="of each side")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    work = given.work.absolute()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    rows: list[list[object]] = []
    digests: dict[str, str] = {}
    for side, means in SIDES.items():
        rows += killed_side(side, means, work, given.kills, random.Random(given.seed), digests)
    same = sum(str(row[-1]) == "yes" for row in rows if row[-1])
    writes = sum(row[4] == "yes" for row in rows)
    Result(
        name="training_kill",
        claim=CLAIM,
        verdict=f"{same} of {sum(bool(row[-1]) for row in rows)} trainings, killed {len(rows)} times in all, "
        f"{writes} of them while a checkpoint was written, ended with the digest of an undisturbed one.",
        corpus={},
        settings={"kills": given.kills, "seed": given.seed, **{f"digest, {s}": d[:16] for s, d in digests.items()}},
        tables=[
            Table(
                title="Kills",
                header=(
                    "",
                    "side",
                    "after seconds",
                    "newest checkpoint",
                    "while writing",
                    "the training's end is the same",
                ),
                rows=rows,
            )
        ],
        pythons=(Path(sys.executable),),
    ).write(given.results)


def killed_side(
    side: str, means: tuple[str, ...], work: Path, kills: int, draw: random.Random, digests: dict[str, str]
) -> list[list[object]]:
    """Return a row for each kill; the last of each training says whether its end is that of an undisturbed one."""
    base, log = work / "undisturbed", work / "log"
    run(base, means, log)
    digests[side] = digest(base)
    shutil.rmtree(next(base.glob("train-*")))
    run(base, means, log)
    assert digest(base) == digests[side], "an undisturbed training does not repeat itself"
    shutil.rmtree(next(base.glob("train-*")))
    rows: list[list[object]] = []
    store = work / "killed"
    while len(rows) < kills:
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(base, store)
        begun = len(rows)
        while len(rows) < kills:
            found = kill(store, means, Moment.drawn(draw), log)
            if found is None:
                break
            writing = "yes" if found.writing else "no"
            rows.append([len(rows) + 1, side, found.seconds, found.step, writing, ""])
            print(*rows[-1], flush=True)
        if not list(store.glob("train-*")):
            run(store, means, log)
        if len(rows) > begun:
            rows[-1][-1] = "yes" if digest(store) == digests[side] else "NO"
            print(side, rows[-1][-1], flush=True)
    return rows


if __name__ == "__main__":
    main()
