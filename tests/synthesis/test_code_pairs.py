import pytest

from regraft.corpus.document import Document, Reject, meta_json
from regraft.synthesis.code.pairs import CodeDemands, CodePair, num_assertions, parse_code
from regraft.synthesis.code.problems import Problem, ProblemFields, shots

STATEMENT = "Write a function `twice` that takes a whole number and returns its double."
FENCED = "Problem: {}\nSolution:\n```py\n{}\n```\nTests:\n```py\n{}\n```"
SOLUTION = "def twice(n):\n    return 2 * n"
TESTS = "assert twice(1) == 2\nassert twice(0) == 0"
PAIR = CodePair(problem=STATEMENT, solution=SOLUTION, tests=TESTS)


@pytest.mark.parametrize(
    "answer",
    [
        f"Problem:\n{STATEMENT}\n\nSolution:\n```python\n{SOLUTION}\n```\n\nTests:\n```python\n{TESTS}\n```",
        f"## Problem\n{STATEMENT}\n\n**Solution**\n```\n{SOLUTION}\n```\nIt doubles.\n\n**Tests**\n```\n{TESTS}\n```",
        f"Sure!\nProblem: {STATEMENT}\nSolution:\n```python\n{SOLUTION}\n\n# tests\n{TESTS}\n```",
        f"Problem: {STATEMENT}\nSolution:\n{SOLUTION}\n\nTests:\n{TESTS}\n",
        FENCED.format(STATEMENT, SOLUTION, TESTS) + "\nProblem: Another.\nSolution:",
        f"Problem: {STATEMENT}\nSolution:\n```\n{SOLUTION}\nprint(twice(3))\n```\nTests:\n```python\n{TESTS}",
    ],
)
def test_a_problem_is_read_however_it_is_decorated(answer: str):
    assert parse_code(answer) == PAIR


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        ("", "Problem"),
        (f"Problem: {STATEMENT}", "Solution"),
        (f"Problem: {STATEMENT}\nSolution:\n```python\n{SOLUTION}\n```", "Tests"),
        (f"Problem:\nSolution:\n```python\n{SOLUTION}\n```\nTests:\n```python\n{TESTS}\n```", "Problem"),
    ],
)
def test_what_is_missing_is_said(answer: str, missing: str):
    found = parse_code(answer)
    assert isinstance(found, Reject)
    assert missing in found.detail


@pytest.mark.parametrize(
    ("solution", "tests", "reason"),
    [
        (SOLUTION, TESTS, None),
        (SOLUTION, "assert twice(1) == 2", "few_assertions"),
        (SOLUTION, "twice(1)", "few_assertions"),
        ("def twice(n", TESTS, "syntax"),
        (SOLUTION, "assert twice(", "syntax"),
        ("x = 1", TESTS, "no_function"),
    ],
)
def test_demands_have_reasons(solution: str, tests: str, reason: str | None):
    found = CodeDemands().rejects(CodePair(problem=STATEMENT, solution=solution, tests=tests), "stop", "en")
    assert [reject.reason for reject in found][:1] == ([reason] if reason else [])


def test_a_cut_answer_is_truncated():
    found = CodeDemands(max_words=3).rejects(PAIR, "length", "en")
    assert [reject.reason for reject in found] == ["truncated", "too_long"]


def test_assertions_are_counted_as_statements_and_calls():
    assert num_assertions("assert a\nself.assertEqual(a, b)\nf(a)") == 2
    assert num_assertions("assert (") == 0


def test_an_assertion_about_nothing_does_not_count():
    assert num_assertions("assert True\nassert 1 == 1\nassert 2 > 1, f(2)\nself.assertTrue(True)") == 0


def document(**meta: str) -> Document:
    return Document(id="d", text="Double it.", source="s", meta=meta_json(meta))


def test_tests_may_be_a_list_of_assertions():
    found = ProblemFields().read(document(solution=SOLUTION, tests='["assert twice(2) == 4", "assert twice(0) == 0"]'))
    assert isinstance(found, Problem)
    assert found.tests == "assert twice(2) == 4\nassert twice(0) == 0"


def test_seed_problems_are_read_by_named_fields():
    given = document(code=SOLUTION, check=TESTS, tags='["numbers", "easy"]', starter_code="def twice(n):")
    found = ProblemFields(solution="code", tests="check").read(given)
    assert isinstance(found, Problem)
    assert (found.statement, found.theme) == ("Double it.\n\ndef twice(n):", "numbers, easy")


@pytest.mark.parametrize(
    ("meta", "fields", "reason"),
    [
        ({"solution": SOLUTION}, ProblemFields(), "seed_unusable"),
        ({"solution": "def (", "tests": TESTS}, ProblemFields(), "seed_unusable"),
        ({"solution": SOLUTION, "tests": TESTS}, ProblemFields(max_characters=20), "seed_too_long"),
        ({"solution": SOLUTION, "tests": TESTS}, ProblemFields(difficulties=("Easy",)), "seed_difficulty"),
    ],
)
def test_seed_problems_that_show_nothing_have_reasons(meta: dict[str, str], fields: ProblemFields, reason: str):
    found = fields.read(document(**meta))
    assert isinstance(found, Reject)
    assert found.reason == reason


def test_shots_are_different_seeded_and_at_most_all():
    problems = [Problem(id=str(n), statement="", solution="", tests="", theme="") for n in range(5)]
    assert {p.id for p in shots(problems, 9, 0, 0)} == set("01234")
    assert shots(problems, 2, 0, 7) == shots(problems, 2, 0, 7)
    assert len({tuple(p.id for p in shots(problems, 2, 0, n)) for n in range(50)}) > 10
