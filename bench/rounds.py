"""Commands run in turn on the same cores, so that whatever else the machine does falls on all of them alike.

A run is timed from the start of its process to the end, imports and all. Its memory is what all its processes hold
together, shared pages counted once (PSS), looked at ten times a second; the largest figure counts.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

LOOK = 0.1
"""Seconds between two looks at the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the things that are compared."""

    name: str
    command: Callable[[Path], Sequence[str | Path]]
    """The command that works into an empty folder."""
    prepare: Callable[[Path], object] = lambda out: None
    """What is done to the folder before the clock starts."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run."""

    seconds: float
    peak_bytes: int


def in_turn(sides: Sequence[Side], rounds: int, cores: Sequence[int], work: Path) -> dict[str, list[Measured]]:
    """Run every side `rounds` times, A B A B ..., pinned to `cores`; what the last round wrote stays in `work/SIDE`.

    Raises:
        SystemExit: a command failed; its output is in `work/SIDE.log`.
    """
    found: dict[str, list[Measured]] = {side.name: [] for side in sides}
    for number in range(rounds):
        for side in sides:
            out = work / side.name
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir(parents=True)
            side.prepare(out)
            measured = run(side.command(out), cores, work / f"{side.name}.log", side.environment)
            found[side.name].append(measured)
            print(f"round {number + 1}: {side.name} {measured.seconds:.1f} s, {measured.peak_bytes / 1e6:.0f} MB")
    return found


def run(
    command: Sequence[str | Path],
    cores: Sequence[int],
    log: Path,
    environment: Mapping[str, str],
    look: float = LOOK,
) -> Measured:
    """Run a command to its end on `cores` and return what it took, its memory looked at every `look` seconds."""
    threads = {name: str(len(cores)) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")}
    pinned = ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            pinned, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **threads, **environment}
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, memory_of(process.pid))
            with suppress(subprocess.TimeoutExpired):
                process.wait(look)
        seconds = time.perf_counter() - start
    if process.returncode:
        tail = log.read_text("utf-8", "replace")[-2000:]
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{tail}")
    return Measured(seconds=seconds, peak_bytes=peak)


def memory_of(pid: int) -> int:
    """Return the memory of a process and all below it, pages that some share divided among them; 0 when gone."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return sum(_own_memory(p.pid) for p in [process, *process.children(recursive=True)])
    return 0


def _own_memory(pid: int) -> int:
    with suppress(OSError):  # gone meanwhile
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def median_ratio(slow: Sequence[Measured], fast: Sequence[Measured]) -> float:
    """Return how many times longer `slow` took: the median over the rounds."""
    return median(a.seconds / b.seconds for a, b in zip(slow, fast, strict=True))
