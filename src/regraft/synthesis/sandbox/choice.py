"""Which isolation holds on this machine: found by trying, since containers and kernels differ in what they allow."""

import tempfile
from functools import cache

from regraft.core import ConfigError, RegraftError
from regraft.synthesis.sandbox.isolation import NAMESPACES, NO_ISOLATION, Isolation, Limits, bubblewrap
from regraft.synthesis.sandbox.program import Program
from regraft.synthesis.sandbox.trial import try_out
from regraft.synthesis.sandbox.verdict import Verdict

_PROBE = """
import os, signal, socket, time

def test_alone():
    assert os.getppid() == 1, "it sees processes of others"

def test_no_files_of_others():
    assert not os.path.exists({marker!r}), "it sees files of others"
    assert not os.path.exists("/etc/passwd"), "it sees /etc/passwd"
    assert set(os.environ) <= {{"PYTHONHASHSEED", "LC_CTYPE"}}, "it sees the environment"

def test_writes_in_its_folder_alone():
    assert os.getcwd() == "/work", "it is in another folder"
    for folder in ("/", "/dev", "/usr/lib", "/tmp"):
        try:
            open(os.path.join(folder, "probe"), "w")
        except OSError:
            continue
        raise AssertionError("it can write into " + folder)

def test_no_network():
    assert [name for _, name in socket.if_nameindex()] in ([], ["lo"]), "it has a network"

def test_processes_are_bounded():
    started = []
    try:
        for _ in range({processes}):
            process = os.fork()
            if not process:
                time.sleep(10)
                os._exit(0)
            started.append(process)
    except BlockingIOError:
        return
    finally:
        for process in started:
            os.kill(process, signal.SIGKILL)
    raise AssertionError("its processes are not bounded")
"""
"""Harmless: it begins as many processes as it may have, and itself is one more."""


@cache
def choose_isolation(*, unsafe: bool = False) -> Isolation:
    """Return the isolation that was seen to hold here: bubblewrap where it is installed, else namespaces.

    Args:
        unsafe: run programs without isolation where none holds: with limits, but with your files, your network and
            your processes in reach.

    Raises:
        ConfigError: none holds, and `unsafe` is not set.
    """
    failures: list[str] = []
    for isolation in (bubblewrap(), NAMESPACES):
        failure = what_fails(isolation) if isolation else "it is not installed"
        if isolation and not failure:
            return isolation
        failures.append(f"{isolation.name if isolation else 'bubblewrap'}: {failure}")
    if unsafe:
        return NO_ISOLATION
    raise ConfigError(
        f"Generated programs cannot be run apart from this machine ({'; '.join(failures)}). Install bubblewrap, or "
        "allow user namespaces, or run in a machine that nothing is lost with and say so by --unsafe-code."
    )


def what_fails(isolation: Isolation) -> str:
    """Return what an isolation does not hold here, found by a harmless program; empty when it holds all."""
    limits = Limits()
    with tempfile.NamedTemporaryFile() as marker:
        probe = _PROBE.format(marker=marker.name, processes=limits.processes)
        try:
            trial = try_out(Program(solution="", tests=probe), isolation, limits)
        except (RegraftError, OSError) as error:
            return str(error)
    return "" if trial.verdict is Verdict.PASSED else f"{trial.verdict}: {trial.reason}"
