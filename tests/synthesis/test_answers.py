import pytest

from regraft.core import RegraftError
from regraft.synthesis.answers import final_answer
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
    with Equivalence(max_cpu_s=1) as compared:
        assert compared.same("100000000!", "2") is None
        assert compared.same("9^{9^{9^{9^9}}} + 1", "2") is None
        assert compared.same("__import__('os')._exit(1)", "1") is not True
        assert compared.same("0.5", "1/2") is True


def test_a_process_that_does_not_start_is_an_error_and_no_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("regraft.synthesis.equivalence.sys.executable", "/bin/false")
    with Equivalence() as compared:
        assert compared.same("1", "1") is True  # which asks nobody
        with pytest.raises(RegraftError, match="does not start"):
            compared.same("1", "2")
