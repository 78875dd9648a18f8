import asyncio
from typing import Any

import pytest

from regraft.synthesis.code.mutants import mutants


def loaded(program: str) -> dict[str, Any]:
    space: dict[str, Any] = {}
    exec(program, space)
    return space


def test_functions_return_nothing_or_what_they_are_given():
    solution = """
import math
class A:
    def f(self, x, y):
        def g(): pass
        return g
def twice(n, m=1): return 2 * n
async def later(n): return n + 1
def none(): return 3
triple = lambda n: 3 * n
"""
    nothing, given = map(loaded, mutants(solution))
    assert [nothing["twice"](2), nothing["A"]().f(7, 8), asyncio.run(nothing["later"](2)), nothing["triple"](2)] == [
        None
    ] * 4
    assert [given["twice"](2), given["A"]().f(7, 8), asyncio.run(given["later"](2)), given["triple"](2)] == [2, 7, 2, 2]
    assert given["none"]() is None


def test_what_a_program_calls_while_it_is_loaded_stays():
    solution = "def load(): return [1]\nDATA = load()[0]\nsquare = lambda n: n * n\ndef f(x): return x + DATA"
    for mutant in map(loaded, mutants(solution)):
        assert (mutant["DATA"], mutant["load"]()) == (1, [1])
        assert mutant["f"](1) in (None, 1)
        assert mutant["square"](3) in (None, 3)


def test_a_program_that_is_nested_too_deeply_is_an_error_of_its_own_kind():
    with pytest.raises(RecursionError):
        mutants("X = " + "-" * 5000 + "1\ndef f(x): return x")
