import math

import pytest

from regraft.core import ConfigError
from regraft.synthesis.weakness import MAX_SCORE, Quiz, QuizItem, Weakness, standard_scores

QUIZ = [
    QuizItem(text="Which organelle of a plant cell makes sugar from light?\nthe chloroplast", failed=True),
    QuizItem(text="Where in the plant cell does light drive the making of sugar?\nin the chloroplast", failed=True),
    QuizItem(text="What schedules processes on a processor?\nthe kernel of the operating system", failed=False),
    QuizItem(text="哪种细胞器利用光合作用制造糖？\n叶绿体", failed=True),
]


def test_the_weight_is_the_exponential_of_the_score():
    weak = Weakness(temperature=2.0)
    assert weak.weight(0.0) == 1.0
    assert weak.weight(1.0) == pytest.approx(math.exp(0.5))
    assert weak.weight(99.0) == weak.weight(MAX_SCORE)
    assert Weakness(temperature=1e9).weight(3.0) == pytest.approx(1.0)


def test_standard_scores():
    assert standard_scores({"a": 1.0, "b": 3.0}) == {"a": -1.0, "b": 1.0}
    assert standard_scores({"a": 1.0, "b": 1.0}) == {"a": 0.0, "b": 0.0}
    assert standard_scores({}) == {}


def test_a_text_on_what_failed_is_weaker_than_one_on_what_is_known():
    quiz = Quiz(QUIZ, prior=1.0)
    plants = quiz.failure("The chloroplast is the organelle in which a plant cell makes sugar with light.")
    kernel = quiz.failure("The kernel of an operating system schedules processes on each processor.")
    neither = quiz.failure("A sonata has three movements.")
    assert kernel < neither == quiz.rate == 0.75 < plants
    assert quiz.failure("叶绿体是利用光合作用制造糖的细胞器。") > quiz.rate
    assert quiz.score(quiz.rate) == 0.0
    assert quiz.score(plants) == pytest.approx((plants - 0.75) / math.sqrt(0.75 * 0.25))


def test_failure_is_by_the_formula():
    quiz = Quiz([QuizItem(text="alpha", failed=True), QuizItem(text="beta", failed=False)], prior=2.0)
    assert quiz.failure("alpha") == pytest.approx((1 + 2 * 0.5) / (1 + 2))


def test_a_quiz_that_all_fail_or_none_says_nothing():
    assert Quiz([QuizItem(text="alpha", failed=True)], prior=1.0).score(1.0) == 0.0


@pytest.mark.parametrize("bad", [{"temperature": 0.0}, {"prior": 0.0}, {"floor": 1.5}, {"floor": -0.1}])
def test_numbers_without_sense_are_refused(bad: dict[str, float]):
    with pytest.raises(ConfigError, match="weakness"):
        Weakness(**bad)
