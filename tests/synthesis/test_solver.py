import dataclasses

import pytest

from regraft.core import ConfigError
from regraft.lm.client.responses import Exchange
from regraft.synthesis.pairs import Pair
from regraft.synthesis.solver import SolverConfig, SolverPrompt

SOLVER = SolverConfig(model="s")


def exactly(answer: str, other: str) -> bool | None:
    return None if "?" in (answer, other) else answer == other


def stored(text: str) -> Exchange:
    body = f'{{"choices": [{{"message": {{"content": "{text}"}}, "finish_reason": "stop"}}]}}'.encode()
    return Exchange(
        key="k",
        model="s",
        request=b"",
        response=body,
        status=200,
        failure="",
        prompt_tokens=1,
        completion_tokens=1,
        metered=True,
    )


@pytest.mark.parametrize(
    ("others", "least", "kept"),
    [
        (["4", "4"], 1, True),
        (["4", "5"], 1, False),
        (["4", "4", "5"], 2, True),
        (["4", ""], 2, False),
        (["?", "", "4"], 1, True),
        (["", ""], 1, False),
    ],
)
def test_enough_must_agree_and_more_than_differ(others: list[str], least: int, kept: bool):
    solver = dataclasses.replace(SOLVER, num_solutions=3, min_agreeing=least)
    exchanges = [stored(f"The answer is {other}." if other else "It is proved.") for other in others]
    found = solver.reject("The answer is 4.", exchanges, exactly)
    assert (found is None) == kept
    assert found is None or found.reason == "answer_not_found_again"


@pytest.mark.parametrize(
    ("pair", "discipline", "concerned"),
    [
        (Pair(problem="2 + 2?", solution="The answer is 4."), "mathematics", True),
        (Pair(problem="2 + 2?", solution="The answer is 4."), "biology", False),
        (Pair(problem="Prove it.", solution="It is proved."), "mathematics", False),
        (Pair(problem="2 + 2?", solution="The answer is 4.", whole="2 + 2? The answer is 4."), "mathematics", False),
        (Pair(problem="", solution="The answer is 4."), "mathematics", False),
    ],
)
def test_what_is_solved_again(pair: Pair, discipline: str, concerned: bool):
    assert SOLVER.concerns(pair, discipline) == concerned


def test_requests_show_the_problem_alone_and_differ_in_their_seed():
    requests = SOLVER.requests("What is {{ 2 + 2 }}?")
    assert len({request.key for request in requests}) == len({request.seed for request in requests}) == 2
    (message,) = requests[0].messages
    assert "What is {{ 2 + 2 }}?" in message.content


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_solutions": 0}, "num_solutions is 0"),
        ({"min_agreeing": 3}, "solved 2 times"),
        ({"temperature": 0.0}, "all solutions would be the same"),
        ({"temperature": -1.0}, "must not be negative"),
        ({"prompt": SolverPrompt(name="p", template="{{ solution }}")}, "prompt 'p'.*solution"),
    ],
)
def test_a_bad_solver_is_refused(changed: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(SOLVER, **changed)
