"""What a client notes of itself, its children included: processor time, wall time, memory. Standard library only."""

import json
import resource
import time
from pathlib import Path


def cpu() -> float:
    """Return the processor seconds of this process and of all its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak_bytes() -> int:
    """Return the most memory that this process held at once; what `getrusage` says may be that of its parent."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


class Spent:
    """Figures from here on, imports and what was prepared left out."""

    def __init__(self) -> None:
        self.cpu, self.wall = cpu(), time.perf_counter()

    def write(self, path: Path, **more: object) -> None:
        """Write them as JSON: `cpu` from the beginning of `Spent`, `whole_cpu` from that of the process."""
        whole, wall = cpu(), time.perf_counter()
        found = {"cpu": whole - self.cpu, "whole_cpu": whole, "wall": wall - self.wall, "peak_bytes": peak_bytes()}
        path.write_text(json.dumps({**found, **more}) + "\n", "utf-8")
