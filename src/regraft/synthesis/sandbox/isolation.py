"""What keeps a program away from the machine, as the beginning of the command that runs it."""

import json
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from regraft.core import ConfigError
from regraft.synthesis.sandbox.system_calls import system_call_filter

PYTHON = os.path.realpath(sys.executable)
"""The interpreter itself: a virtual environment is not visible from inside."""
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_NAMESPACES = Path(__file__).with_name("namespaces.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may use. None of it is in the paper; processor time and memory are of each process."""

    cpu_s: int = 5
    wall_s: float = 20.0
    """Ends what sleeps or waits; what computes should reach `cpu_s` before, also on a busy machine."""
    memory_mib: int = 512
    processes: int = 8
    """At once, threads included."""
    disk_mib: int = 16
    """Of all files together where there is isolation, else of each."""
    files: int = 256
    """That it may make; bubblewrap knows no such bound."""
    open_files: int = 64
    output_bytes: int = 65536

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ConfigError(f"limits.{name} is {getattr(self, name)}; it must be above 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """A way to run a command apart from the machine; whether it works here is another question."""

    name: str
    """`bubblewrap`, `namespaces` or `none`."""
    program: str = ""

    def command(self, limits: Limits, filter_: BinaryIO) -> list[str]:
        """Return what to put before a command, which then runs in `/work`, where only `none` leaves it in the cwd.

        Its filter of system calls is written to the file `filter_`, which bubblewrap inherits.

        Raises:
            RegraftError: there is no filter for this machine.
        """
        if self.name == "none":
            return []
        refused = system_call_filter(platform.machine())
        match self.name:
            case "bubblewrap":
                filter_.write(refused)
                filter_.seek(0)
                return [self.program, *_bubblewrap_options(limits), "--seccomp", str(filter_.fileno()), "--"]
            case _:
                bounds = {"size": limits.disk_mib << 20, "files": limits.files}
                view = {"visible": visible(), "filter": refused.hex(), **bounds}
                return [PYTHON, "-I", "-S", str(_NAMESPACES), json.dumps(view)]


NAMESPACES = Isolation(name="namespaces")
NO_ISOLATION = Isolation(name="none")


def bubblewrap() -> Isolation | None:
    """Return bubblewrap where it is installed."""
    program = shutil.which("bwrap")
    return Isolation(name="bubblewrap", program=program) if program else None


def visible() -> list[str]:
    """Return what a program sees of this machine: its interpreter and the libraries of the system, no more."""
    prefixes = {str(Path(prefix).resolve()) for prefix in (sys.base_prefix, sys.base_exec_prefix)}
    paths = [path for path in (*_LIBRARIES, *prefixes) if Path(path).exists()]
    return sorted(path for path in paths if not any(Path(other) in Path(path).parents for other in paths))


def _bubblewrap_options(limits: Limits) -> list[str]:
    shown: list[str] = []
    for path in visible():
        link = Path(path).is_symlink()
        shown += ["--symlink", str(Path(path).readlink()), path] if link else ["--ro-bind", path, path]
    for device in _DEVICES:
        shown += ["--dev-bind", device, device]
    apart = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--as-pid-1", "--clearenv"]
    apart += ["--cap-drop", "ALL"]
    folder = ["--size", str(limits.disk_mib << 20), "--tmpfs", "/work", "--remount-ro", "/", "--chdir", "/work"]
    return [*apart, *shown, *folder]
