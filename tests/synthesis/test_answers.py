import pytest

from regraft.core import ConfigError
from regraft.synthesis.answers import Agreement, check_reference, final_answer
from regraft.synthesis.equivalence import Equivalence


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (r"So we get \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"First \boxed{1}, then \boxed{2}.", "2"),
        (r"It is \boxed{2", ""),
        ("Add them.\n#### 1,024", "1,024"),
        ("So the answer is 60.25 km. Check it.", "60.25 km"),
        ("**Answer:** $x = 2$.", "x = 2"),
        ("The answer is 1. No, the final answer is 3, since 1 + 2 = 3.", "3"),
        ("所以答案是 12。", "12"),
        ("答案：3.5", "3.5"),
        ("This proves it.", ""),
        ("", ""),
    ],
)
def test_final_answers(solution: str, answer: str):
    assert final_answer(solution) == answer


@pytest.fixture(scope="module")
def equivalence():
    with Equivalence() as compared:
        yield compared


@pytest.mark.parametrize(
    ("answer", "other", "same"),
    [
        ("0.5", r"\frac{1}{2}", True),
        ("1/2", "0.5", True),
        ("1,024", "1024", True),
        (r"60.25\text{ km/h}", "60.25", True),
        ("x = 2", "2", True),
        ("2", "x = 2", True),
        ("x^2+2x+1", "(x+1)^2", True),
        ("2", "3", False),
        ("B", "A", False),
        ("", "3", None),
        ("3" * 300, "4" * 300, None),
    ],
)
def test_answers_are_compared_as_mathematics(equivalence: Equivalence, answer: str, other: str, same: bool | None):
    assert equivalence.same(answer, other) is same


def test_a_hostile_answer_is_stopped_and_the_next_is_compared():
    with Equivalence(timeout_s=1) as compared:
        assert compared.same("100000000!", "2") is None
        assert compared.same("9^{9^{9^{9^9}}} + 1", "2") is None
        assert compared.same("__import__('os')._exit(1)", "1") is not True
        assert compared.same("0.5", "1/2") is True


def exactly(answer: str, other: str) -> bool | None:
    return None if "?" in (answer, other) else answer == other


@pytest.mark.parametrize(
    ("solution", "reason"),
    [
        ("The answer is 4.", None),
        ("The answer is 5.", "wrong_answer"),
        ("The answer is ?.", "answer_not_comparable"),
        ("It is proved.", "no_final_answer"),
    ],
)
def test_a_reference_is_met_or_not(solution: str, reason: str | None):
    found = check_reference(solution, "4", exactly)
    assert (found.reason if found else None) == reason


@pytest.mark.parametrize(
    ("others", "least", "kept"),
    [
        (["4"], 1, True),
        (["4", "5"], 1, False),
        (["4", "4", "5"], 2, True),
        (["4"], 2, False),
        (["?", "", "4"], 1, True),
        ([], 1, False),
    ],
)
def test_enough_must_agree_and_more_than_differ(others: list[str], least: int, kept: bool):
    solutions = [f"The answer is {other}." if other else "It is proved." for other in others]
    found = Agreement(min_agreeing=least).reject("The answer is 4.", solutions, exactly)
    assert (found is None) == kept


def test_a_proof_is_not_judged_by_its_answer():
    assert Agreement().reject("It is proved.", ["The answer is 4."], exactly) is None
    with pytest.raises(ConfigError, match="min_agreeing"):
        Agreement(min_agreeing=0)
