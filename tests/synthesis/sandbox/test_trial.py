from dataclasses import replace

import pytest

from regraft.core import ConfigError
from regraft.synthesis.sandbox.choice import choose_isolation
from regraft.synthesis.sandbox.isolation import NO_ISOLATION, Isolation, Limits
from regraft.synthesis.sandbox.program import Program
from regraft.synthesis.sandbox.trial import Trial, try_out
from regraft.synthesis.sandbox.verdict import Verdict

LIMITS = Limits(cpu_s=1, wall_s=3, memory_mib=128, processes=6, disk_mib=1, output_bytes=10_000)
ADD = "def add(a, b):\n    return a + b\n"


@pytest.fixture(scope="module")
def isolation() -> Isolation:
    """With its limits alone where this machine has no isolation: what is run here means no harm."""
    return choose_isolation(unsafe=True)


@pytest.mark.parametrize(
    ("solution", "tests", "reason"),
    [
        (ADD, "assert add(1, 2) == 3", ""),
        (ADD, "assert add(1, 2) == 4", "tests.py:1: AssertionError: assert add(1, 2) == 4"),
        (ADD, "assert add(1, 2) == 4, 'wrong sum'", "tests.py:1: AssertionError: wrong sum"),
        (ADD, "\nadd(1, None)", "solution.py:2: TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'"),
        (ADD, "from solution import add\nassert add(1, 2) == 3", ""),
        (ADD, "def test_add():\n    assert add(1, 2) == 4", "tests.py:2: AssertionError: assert add(1, 2) == 4"),
        ("def add(a, b:", "", "SyntaxError: '(' was never closed (solution.py, line 1)"),
        ("raise SystemExit(0)", "", "solution.py:1: SystemExit: 0"),
        (ADD, "import sys\nsys.exit(3)", "tests.py:2: SystemExit: 3"),
        (ADD + "if __name__ == '__main__':\n    print(add(1, int(input())))", "assert add(1, 2) == 3", ""),
        ("def f():\n    return input()", "f()", "solution.py:2: EOFError: EOF when reading a line"),
        (ADD, "json.dumps(add(1, 2))", "tests.py:1: NameError: name 'json' is not defined"),
        (ADD, "import numpy", "tests.py:1: ModuleNotFoundError: No module named 'numpy'"),
        ("def f(n):\n    return f(n + 1)", "f(0)", "solution.py:2: RecursionError: maximum recursion depth exceeded"),
        ("raise ValueError(object())", "", "solution.py:1: ValueError: <object object at 0x…>"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(isolation: Isolation, solution: str, tests: str, reason: str):
    trial = try_out(Program(solution=solution, tests=tests), isolation, LIMITS)
    assert (trial.verdict, trial.reason) == (Verdict.FAILED if reason else Verdict.PASSED, reason)


CASE = """
import unittest
class TestAdd(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(add(1, 2), {})
"""


@pytest.mark.parametrize("end", ["", "if __name__ == '__main__':\n    unittest.main()\n"])
def test_cases_of_unittest_are_run(isolation: Isolation, end: str):
    assert try_out(Program(solution=ADD, tests=CASE.format(3) + end), isolation, LIMITS).verdict is Verdict.PASSED
    trial = try_out(Program(solution=ADD, tests=CASE.format(4) + end), isolation, LIMITS)
    assert trial.verdict is Verdict.FAILED
    assert "3 != 4" in trial.reason + trial.tail


@pytest.mark.parametrize(
    ("program", "verdict", "reason"),
    [
        ("while True: pass", Verdict.TIMEOUT, "1 s of processor time"),
        ("import time\ntime.sleep(60)", Verdict.TIMEOUT, "1 s in all"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", Verdict.TIMEOUT, "1 s in all"),
        ("x = bytearray(10**9)", Verdict.MEMORY, "solution.py:1: MemoryError"),
        ("while True: print('x' * 1000)", Verdict.OUTPUT, "more than 10000 bytes of output"),
        ("import ctypes\nctypes.string_at(0)", Verdict.CRASHED, "SIGSEGV"),
        ("import os\nos.abort()", Verdict.CRASHED, "SIGABRT"),
        ("import os\nos._exit(0)", Verdict.CRASHED, "it left with exit code 0 before its tests ended"),
        ("open('a', 'wb').write(bytes(2 << 20))", Verdict.FAILED, None),
        ("a = [open('solution.py') for _ in range(100)]", Verdict.FAILED, None),
        ("import os\nos.write(3, b'[' * 60_000)\nos._exit(0)", Verdict.CRASHED, None),
    ],
)
def test_limits_have_verdicts(isolation: Isolation, program: str, verdict: Verdict, reason: str | None):
    limits = replace(LIMITS, wall_s=10 if "while True" in program else 1)
    trial = try_out(Program(solution=program, tests=""), isolation, limits)
    assert trial.verdict is verdict
    assert reason in (None, trial.reason)


def test_the_end_of_the_output_is_kept_without_addresses(isolation: Isolation):
    tail = try_out(Program(solution="print('a' * 3000, object())", tests=""), isolation, LIMITS).tail
    assert len(tail) <= 2000
    assert tail.endswith("aaa <object object at 0x…>\n")


def test_a_trial_is_repeatable(isolation: Isolation):
    program = "print(set('abcdefgh'), hash('x'), object())"
    assert len({try_out(Program(solution=program, tests=""), isolation, LIMITS) for _ in range(3)}) == 1


def test_a_thread_that_never_ends_does_not_hold_a_trial_up(isolation: Isolation):
    program = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()"
    expected = Trial(verdict=Verdict.PASSED, reason="", tail="")
    assert try_out(Program(solution=program, tests=""), isolation, LIMITS) == expected


def test_limits_of_nothing_are_refused():
    with pytest.raises(ConfigError, match=r"limits\.processes is 0"):
        Limits(processes=0)


@pytest.mark.parametrize(
    ("solution", "tests", "verdict"),
    [
        ("def test_bit(n, i): return n >> i & 1", "assert test_bit(2, 1) == 1", Verdict.PASSED),
        ("def f(): return 1", "class TestF:\n    def test_f(self):\n        assert f() == 2", Verdict.FAILED),
        ("def f(): return 1", "class TestF:\n    def test_f(self):\n        assert f() == 1", Verdict.PASSED),
        (
            "import unittest\nclass C(unittest.TestCase):\n    def test_c(self): assert False",
            "assert C",
            Verdict.PASSED,
        ),
    ],
)
def test_only_what_the_tests_define_is_a_test(solution: str, tests: str, verdict: Verdict):
    assert try_out(Program(solution=solution, tests=tests), NO_ISOLATION, LIMITS).verdict is verdict
