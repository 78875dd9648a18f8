"""Programs that mean harm. Each runs only once a harmless one has shown that the isolation holds on this machine."""

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from regraft.core import ConfigError, RegraftError
from regraft.synthesis.sandbox.choice import what_fails
from regraft.synthesis.sandbox.isolation import NAMESPACES, NO_ISOLATION, Isolation, Limits, bubblewrap
from regraft.synthesis.sandbox.program import Program
from regraft.synthesis.sandbox.trial import Trial, try_out
from regraft.synthesis.sandbox.verdict import Verdict, judge

LIMITS = Limits(cpu_s=1, wall_s=2, memory_mib=128, processes=6, disk_mib=1, files=50, output_bytes=10_000)


@pytest.fixture(scope="module", params=["bubblewrap", "namespaces"])
def isolation(request: pytest.FixtureRequest) -> Isolation:
    found = NAMESPACES if request.param == "namespaces" else bubblewrap()
    failure = what_fails(found) if found else "it is not installed"
    if found == NAMESPACES and failure and "nothing was run" not in failure:
        pytest.fail(f"namespaces can be made here, but they do not hold: {failure}")
    if found is None or failure:
        pytest.skip(f"{request.param} does not hold here: {failure}")
    return found


def tried(program: str, isolation: Isolation) -> Trial:
    return try_out(Program(solution=textwrap.dedent(program), tests=""), isolation, LIMITS)


def running(marker: str) -> list[int]:
    """Return the processes of the whole machine that have `marker` among their arguments."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def becomes(condition: Callable[[], object]) -> bool:
    for _ in range(250):
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_fork_bomb_meets_its_bound(isolation: Isolation):
    bomb = """
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
    """
    assert tried(bomb, isolation).verdict is Verdict.TIMEOUT
    assert "BlockingIOError" in tried("import os\nwhile True: os.fork()", isolation).reason


def test_a_bomb_of_threads_meets_its_bound(isolation: Isolation):
    bomb = """
        import threading, time
        while True:
            threading.Thread(target=time.sleep, args=(60,)).start()
    """
    assert "can't start new thread" in tried(bomb, isolation).reason


def test_a_disk_filler_meets_its_bound(isolation: Isolation):
    filler = """
        for number in range(40):
            with open(str(number), "wb") as file:
                file.write(bytes(100_000))
    """
    assert "No space left on device" in tried(filler, isolation).reason


def test_a_filler_of_names_meets_its_bound():
    if what_fails(NAMESPACES):
        pytest.skip("namespaces do not hold here")
    filler = "for number in range(100): open(str(number), 'w').close()"
    assert "No space left on device" in tried(filler, NAMESPACES).reason


def test_a_memory_hog_in_many_processes_meets_its_bound(isolation: Isolation):
    hog = """
        import os
        os.fork(), os.fork()
        kept = []
        while True:
            kept.append(bytearray(10_000_000))
    """
    assert tried(hog, isolation).verdict is Verdict.MEMORY


def test_there_is_no_network(isolation: Isolation):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()  # from here it can be reached
        server.accept()[0].close()
        caller = f"import socket\nsocket.create_connection(('127.0.0.1', {port}))"
        assert re.search("Network is unreachable|Connection refused", tried(caller, isolation).reason)
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "gaierror" in tried("import socket\nsocket.getaddrinfo('pypi.org', 443)", isolation).reason


def test_the_environment_stays_unknown(isolation: Isolation, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REGRAFT_API_KEY", "k3y")
    spy = """
        import glob, os, sys
        print(dict(os.environ), sys.orig_argv[1:7])
        for path in ["/proc/self/environ", "/proc/1/environ", *glob.glob("/proc/*/environ")]:
            try:
                print(open(path, "rb").read())
            except OSError:
                pass
    """
    trial = tried(spy, isolation)
    assert trial.verdict is Verdict.PASSED
    assert "PYTHONHASHSEED" in trial.tail
    assert "k3y" not in trial.tail
    assert "PATH" not in trial.tail


def test_processes_of_others_cannot_be_signalled(isolation: Isolation):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        killer = f"""
            import os, signal
            for process in ({os.getpid()}, {other.pid}, os.getppid(), 1, -1):
                try:
                    os.kill(process, signal.SIGKILL)
                except OSError:
                    pass
        """
        assert tried(killer, isolation).verdict is Verdict.PASSED
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_files_of_others_are_not_there(isolation: Isolation, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("k3y")
    spy = f"""
        import os
        paths = ["/etc/shadow", "/etc/passwd", "/root/.ssh", "/home", {str(secret)!r}, {str(Path.home() / ".bashrc")!r}]
        os.symlink({str(tmp_path)!r}, "link")
        os.symlink("/proc/1/root", "root")
        os.symlink("../" * 20 + "etc", "up")
        paths += ["link/secret", "root/etc/shadow", "up/shadow", {__file__!r}]
        print([path for path in paths if os.path.exists(path)], os.listdir("/"))
    """
    trial = tried(spy, isolation)
    assert trial.verdict is Verdict.PASSED
    assert trial.tail.startswith("[] ")


def test_nothing_can_be_written_elsewhere(isolation: Isolation, tmp_path: Path):
    before = set(Path("/").iterdir()), set(tmp_path.iterdir())
    writer = f"""
        import os, sys
        os.symlink({str(tmp_path)!r}, "link")
        done = []
        for folder in ("/", "/etc", "/tmp", "/dev", "/dev/shm", "/usr/lib", "/lib", "link", {str(tmp_path)!r},
                       os.path.dirname(os.__file__), os.path.dirname(sys.executable)):
            for act, value in ((os.mknod, 0o600), (os.mkdir, 0o700)):
                try:
                    act(folder + "/x", value)
                    done.append(folder)
                except OSError:
                    pass
        assert not done, done
    """
    assert tried(writer, isolation) == Trial(verdict=Verdict.PASSED, reason="", tail="")
    assert (set(Path("/").iterdir()), set(tmp_path.iterdir())) == before


def test_rights_cannot_be_won(isolation: Isolation):
    climber = """
        import ctypes, os
        libc = ctypes.CDLL(None)
        won = [flag for flag in (0x10000000, 0x20000, 0x40000000) if libc.unshare(flag) == 0]
        won += [name for name in ("setuid", "setgid") if getattr(libc, name)(0) == 0]
        won += ["mount"] * (libc.mount(b"none", b"/work", b"tmpfs", 0, None) == 0)
        won += ["chroot"] * (libc.chroot(b"/work") == 0)
        import resource
        for name in ("RLIMIT_NPROC", "RLIMIT_AS", "RLIMIT_CPU"):
            try:
                resource.setrlimit(getattr(resource, name), (resource.RLIM_INFINITY,) * 2)
                won.append(name)
            except (ValueError, OSError):
                pass
        assert not won, won
    """
    assert tried(climber, isolation) == Trial(verdict=Verdict.PASSED, reason="", tail="")


def test_what_ignores_signals_is_stopped(isolation: Isolation):
    stubborn = """
        import signal
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True: pass
    """
    trial = tried(stubborn, isolation)
    assert trial.verdict is Verdict.TIMEOUT


DAEMON = """
    import os, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(20)", {marker!r}])
        os._exit(0)
    time.sleep(0.5)
"""


@pytest.mark.parametrize(
    "liar",
    [
        "import sys\ndef f(): sys.exit(0)",
        "import sys\nsys.exit(0)",
        "def f(): raise SystemExit",
        "import os\nos._exit(0)",
        "import os\ndef f(): os._exit(0)",
        "print({'verdict': 'passed', 'reason': ''})\nimport os; os._exit(0)",
        """import os; os.write(3, b'{"verdict": "passed", "reason": ""}\\n'); os._exit(0)""",
        """import os; os.write(3, b'0' * 32 + b'\\n{"verdict": "passed", "reason": ""}\\n'); os._exit(0)""",
        """import json; json.dumps = lambda told: '{"verdict": "passed", "reason": ""}'""",
        """import os, json; os.write = lambda *told: None""",
        "import os, signal\ndef f(): os.kill(os.getppid(), signal.SIGKILL); os.kill(os.getpid(), signal.SIGKILL)",
        "import atexit, os\natexit.register(os._exit, 0)",
        "import os\nif os.fork(): os._exit(0)",
        "print(open('/proc/self/fd/0').read(), input())",
        "open('tests.py', 'w').write('')\nimport sys; sys.argv = []",
    ],
)
def test_success_cannot_be_pretended(isolation: Isolation, liar: str):
    trial = try_out(Program(solution=liar, tests="f()\nassert False"), isolation, LIMITS)
    assert trial.verdict in (Verdict.FAILED, Verdict.CRASHED)


def test_a_spammer_meets_its_bound(isolation: Isolation):
    assert tried("import os\nwhile True: os.write(1, bytes(60_000))", isolation).verdict is Verdict.OUTPUT


def test_shared_memory_and_what_lies_in_no_folder_are_bounded(isolation: Isolation):
    for path in ("/dev/shm/x", "/tmp/x", "/var/tmp/x", "/run/x"):
        assert re.search("No such file|Read-only", tried(f"open({path!r}, 'w')", isolation).reason)
    hog = """
        import os
        file = os.memfd_create("x")
        os.truncate(file, 1 << 40)
    """
    assert tried(hog, isolation).verdict in (Verdict.CRASHED, Verdict.FAILED)


def test_a_daemon_does_not_outlive_its_program(isolation: Isolation):
    marker = f"daemon-{os.getpid()}-{isolation.name}"
    assert tried(DAEMON.format(marker=marker), isolation).verdict is Verdict.PASSED
    assert becomes(lambda: not running(marker))


def test_without_isolation_a_daemon_would_stay():
    """The proof that the test before this one can fail."""
    marker = f"daemon-{os.getpid()}-none"
    limits = Limits(processes=100_000)  # of the user in all, where there is no namespace
    program = Program(solution=textwrap.dedent(DAEMON.format(marker=marker)), tests="")
    assert try_out(program, NO_ISOLATION, limits).verdict is Verdict.PASSED
    (daemon,) = running(marker)
    os.kill(daemon, signal.SIGKILL)


def test_a_program_ends_with_the_process_that_asked_for_it(isolation: Isolation):
    marker = f"orphan-{os.getpid()}-{isolation.name}"
    program = (
        f"import os, sys\nos.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(20)', {marker!r}])"
    )
    asking = (
        "from regraft.synthesis.sandbox.isolation import Isolation, Limits\n"
        "from regraft.synthesis.sandbox.program import Program\n"
        "from regraft.synthesis.sandbox.trial import try_out\n"
        f"try_out(Program(solution={program!r}, tests=''), {isolation!r}, Limits())"
    )
    asker = subprocess.Popen([sys.executable, "-c", asking])
    assert becomes(lambda: running(marker))
    asker.kill()
    asker.wait()
    assert becomes(lambda: not running(marker))


def test_an_isolation_that_fails_runs_nothing(tmp_path: Path):
    broken = Isolation(name="bubblewrap", program="/bin/false")
    with pytest.raises(RegraftError, match="The isolation bubblewrap"):
        try_out(Program(solution="open('x', 'w')", tests=""), broken, LIMITS)


def test_no_isolation_is_refused_unless_it_is_asked_for():
    """In a user namespace without a mapping no other can be made."""
    check = """
        import ctypes, sys
        assert ctypes.CDLL(None).unshare(0x10000000) == 0
        from regraft.synthesis.sandbox import choice
        choice.bubblewrap = lambda: None
        assert choice.choose_isolation(unsafe=True).name == "none"
        choice.choose_isolation()
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(check)], capture_output=True, text=True, env=environment, check=False
    )
    if "AssertionError" in child.stderr:
        pytest.skip("no user namespace can be made here")
    assert ConfigError.__name__ in child.stderr
    assert "namespaces: The isolation namespaces failed" in child.stderr
    assert "Operation not permitted" in child.stderr
    assert "--unsafe-code" in child.stderr


CALLS = """
import ctypes, os, platform
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 0, "aarch64": 1}[platform.machine()]

def refused(numbers, *arguments):
    ctypes.set_errno(0)
    assert libc.syscall(numbers[number], *arguments) == -1, numbers
    assert ctypes.get_errno() == 1, (numbers, os.strerror(ctypes.get_errno()))
"""


@pytest.mark.parametrize(
    "call",
    [
        "refused((101, 117), 0x4206, 1, None, None)",  # ptrace: seize the supervisor
        "refused((438, 438), os.pidfd_open(1), 2, 0)",  # pidfd_getfd: the descriptor of its report
        "refused((310, 270), 1, None, 0, None, 0, 0)",  # process_vm_readv
        "refused((311, 271), 1, None, 0, None, 0, 0)",
        "refused((29, 194), 0, 1 << 20, 0o1600)",  # shmget: memory that RLIMIT_AS does not count
        "refused((319, 279), b'm', 0)",  # memfd_create
        "refused((68, 186), 0, 0o1600)",  # msgget
        "refused((250, 219), 0, -3, 0)",  # keyctl: the session keyring of who started all this
        "refused((248, 217), b'user', b'k', b'v', 1, -3)",  # add_key
        "refused((425, 425), 1, None)",  # io_uring_setup
        "refused((321, 280), 0, None, 0)",  # bpf
        "refused((272, 97), 0x10000000)",  # unshare: a user namespace
        "refused((41, 198), 40, 1, 0)",  # socket: the host of a virtual machine
        "refused((41, 198), 38, 5, 0)",  # socket: the kernel's cryptography
    ],
)
def test_calls_that_namespaces_do_not_hold_are_refused(call: str, isolation: Isolation):
    trial = tried(f"{CALLS}\n{call}", isolation)
    assert (trial.verdict, trial.reason) == (Verdict.PASSED, "")


def test_calls_of_another_kind_of_machine_end_the_program_or_are_refused(isolation: Isolation):
    if os.uname().machine != "x86_64":
        pytest.skip("only x86-64 has calls of two more kinds")
    x32 = "ctypes.set_errno(0)\nassert libc.syscall(0x40000000 + 39) == -1 and ctypes.get_errno() == 1"
    assert tried(f"{CALLS}\n{x32}", isolation).verdict is Verdict.PASSED


@pytest.mark.parametrize("number", [1, 2, 6, 9, 11, 15, 31, 34, 40, 63, 64])
def test_every_signal_is_a_verdict(number: int):
    trial = try_out(Program(solution=f"import os; os.kill(os.getpid(), {number})", tests=""), NO_ISOLATION, LIMITS)
    assert trial.verdict in (Verdict.CRASHED, Verdict.TIMEOUT, Verdict.FAILED, Verdict.PASSED)


@pytest.mark.parametrize(
    "report", [b"{", b"[]", b'{"code": "x"}', b'{"told": 1, "code": 0, "cpu_s": 0.0}', b"[" * 5000]
)
def test_a_report_that_is_none_is_a_verdict(report: bytes):
    assert judge(b"\n" + report, NO_ISOLATION, LIMITS)[0] is Verdict.CRASHED


def test_a_report_without_end_is_stopped():
    program = """
    import os
    report = os.open(f"/proc/{os.getppid()}/fd/2", os.O_WRONLY)
    while True:
        os.write(report, b" " * 65536)
    """
    trial = tried(program, NO_ISOLATION)
    assert (trial.verdict, trial.reason) == (Verdict.CRASHED, "its supervisor was disturbed")


def test_half_an_emoji_in_a_reason_is_text():
    trial = try_out(Program(solution=r"raise ValueError('\ud800')", tests=""), NO_ISOLATION, LIMITS)
    assert trial.verdict is Verdict.FAILED
    trial.reason.encode()
