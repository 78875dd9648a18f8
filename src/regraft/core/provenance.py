"""By what means an artifact was made: time, memory, command line, commit, packages."""

import os
import platform
import re
import resource
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

from regraft.core.artifact import Provenance

RECORDED_PACKAGES = (
    "regraft",
    "torch",
    "transformers",
    "tokenizers",
    "daft",
    "pyarrow",
    "numpy",
    "scikit-learn",
    "lm_eval",
)
_SECRET_WORDS = ("key", "token", "secret", "password", "authorization")


@dataclass(frozen=True, slots=True)
class Clock:
    """Started when a step starts; its reading is the provenance of what the step made."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    wall: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=lambda: _cpu_seconds())

    def read(self, device: str) -> Provenance:
        return Provenance(
            started=self.started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self.wall, 3),
            cpu_seconds=round(_cpu_seconds() - self.cpu, 3),
            peak_memory_bytes=peak_memory_bytes(),
            command_line=" ".join(without_secrets(sys.argv)),
            commit=_commit(),
            python=platform.python_version(),
            packages=_packages(),
            platform=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            device=device,
        )


def reset_peak_memory() -> None:
    """Let the kernel count the peak of this process anew, where it can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def peak_memory_bytes() -> int:
    """Return the largest resident size of this process since the last reset, or since its start without one."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def without_secrets(arguments: list[str]) -> list[str]:
    """Return a command line whose values of options named like a key, token or password are hidden."""
    shown: list[str] = []
    hide_next = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        words = name.lower().replace("_", "-").split("-")
        secret = name.startswith("-") and any(word in words for word in _SECRET_WORDS)
        plain = re.sub(r"//[^/@\s]+@", "//***@", argument)  # user and password in a URL
        shown.append("***" if hide_next else f"{name}=***" if secret and equals else plain)
        hide_next = secret and not equals
    return shown


def _cpu_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


@cache
def _commit() -> str:
    source = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "-C", str(source), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@cache
def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
