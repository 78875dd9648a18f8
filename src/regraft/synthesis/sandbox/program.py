"""The command that runs a solution and its tests: a supervisor in the isolation, which starts the program itself."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from regraft.synthesis.sandbox.isolation import PYTHON, Isolation, Limits

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_DRIVER = Path(__file__).with_name("driver.py")
_FLAGS = ("-s", "-S", "-P", "-B", "-X", "utf8")
"""As `-I -S`, but for the one variable of the environment that makes a run repeatable."""
_ENVIRONMENT = {"PYTHONHASHSEED": "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A solution in Python and the tests that run after it, in the same module."""

    solution: str
    tests: str

    @contextmanager
    def started(self, isolation: Isolation, limits: Limits) -> Generator[subprocess.Popen[bytes]]:
        """Yield the running process, the first of a group and session of its own; end all of them."""
        with tempfile.TemporaryDirectory() as folder:
            with tempfile.TemporaryFile() as job, tempfile.TemporaryFile() as filter_:
                apart = isolation.command(limits, filter_)
                command = [*apart, PYTHON, "-I", "-S", "-c", _SUPERVISOR.read_text("utf-8")]
                job.write(self._job(limits))
                job.seek(0)
                process = subprocess.Popen(
                    command,
                    stdin=job,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={},
                    cwd=folder,
                    start_new_session=True,
                    pass_fds=(filter_.fileno(),) if isolation.name == "bubblewrap" else (),
                )
            with process:
                try:
                    yield process
                finally:
                    os.killpg(process.pid, signal.SIGKILL)  # not yet waited for, so the number is still its own

    def _job(self, limits: Limits) -> bytes:
        bounds = {
            "RLIMIT_CPU": limits.cpu_s,
            "RLIMIT_AS": limits.memory_mib << 20,
            "RLIMIT_FSIZE": limits.disk_mib << 20,
            "RLIMIT_NPROC": limits.processes,
            "RLIMIT_NOFILE": limits.open_files,
            "RLIMIT_CORE": 0,
        }
        job = {
            "files": {"solution.py": self.solution, "tests.py": self.tests},
            "command": [PYTHON, *_FLAGS, "-c", _DRIVER.read_text("utf-8")],
            "environment": _ENVIRONMENT,
            "limits": {name: (bound, bound + (name == "RLIMIT_CPU")) for name, bound in bounds.items()},
        }
        return json.dumps(job).encode()
