import dataclasses
import random

import pytest

from regraft.core import ConfigError
from regraft.synthesis.measures import (
    Seen,
    asks,
    distinct,
    foreign_numbers,
    grounding,
    reference_to_source,
    repetition,
    words,
)
from regraft.synthesis.pairs import Pair
from regraft.synthesis.verify import Demands, Measures, measure
from tests.synthesis.given import PAGES

SNIPPET = PAGES["kernel"][1]
GOOD = Pair(
    problem="What does the kernel of an operating system decide about processes?",
    solution="The kernel manages the hardware and lends it to programs. It decides which process runs on which "
    "processor "
    "and for how long it may run before the next one is served.",
)


def test_a_grounded_pair_passes():
    assert Demands().reject(measure(GOOD, SNIPPET, "stop"), "en") is None


@pytest.mark.parametrize(
    ("change", "finish_reason", "reason"),
    [
        ({}, "length", "truncated"),
        ({"problem": "What is this?"}, "stop", "too_short"),
        ({"problem": GOOD.problem.replace("What does", "").replace("?", ".")}, "stop", "no_question"),
        ({"solution": "A program."}, "stop", "too_short"),
        ({"solution": GOOD.solution * 60}, "stop", "too_long"),
        ({"solution": "The kernel decides. " * 12}, "stop", "repetition"),
        ({"solution": PAGES["内核"][1] * 2}, "stop", "language"),
        ({"problem": f"According to the text, {GOOD.problem}"}, "stop", "refers_to_text"),
        ({"solution": f"{GOOD.solution} This takes 512 milliseconds."}, "stop", "number_not_grounded"),
        (
            {
                "solution": "Photosynthesis converts sunlight into sugar inside chloroplasts, where pigments absorb "
                "blue "
                "and red wavelengths while oxygen leaves through stomata."
            },
            "stop",
            "not_grounded",
        ),
        (
            {
                "problem": "How do chloroplasts turn sunlight into sugar, and why do stomata release oxygen?",
                "solution": "Chloroplasts turn sunlight into sugar, and stomata release oxygen, since chloroplasts "
                "turn sunlight and water into sugar and oxygen while stomata stay open.",
            },
            "stop",
            "problem_not_grounded",
        ),
        (
            {
                "problem": f"{GOOD.solution} Is that right, or is something else decided by it?",
                "solution": GOOD.solution,
            },
            "stop",
            "no_answer",
        ),
    ],
)
def test_each_demand_has_its_reason(change: dict[str, str], finish_reason: str, reason: str):
    found = measure(dataclasses.replace(GOOD, **change), SNIPPET, finish_reason)
    demands = Demands(max_repetition=1.0) if reason in ("too_long", "no_answer") else Demands()
    rejected = demands.reject(found, "en")
    assert rejected is not None
    assert rejected.reason == reason


def test_a_problem_is_grounded_in_the_snippet_and_its_solution_in_both():
    found = measure(Pair(problem="kernel chlorophyll", solution="chlorophyll"), "The kernel.", "stop")
    assert (found.problem_grounding, found.grounding) == (pytest.approx(1 / 3), 1.0)


def test_new_numbers_can_be_allowed_for_mathematics():
    found = measure(dataclasses.replace(GOOD, solution=f"{GOOD.solution} This takes 512 steps."), SNIPPET, "stop")
    assert isinstance(found, Measures)
    assert Demands(numbers_grounded=False).reject(found, "en") is None


def test_words_count_han_characters_one_by_one():
    assert words("The GNU/Linux kernel's 内核") == ["the", "gnu", "linux", "kernel's", "内", "核"]


def test_repetition():
    assert repetition("a b c d e f") == 0
    assert repetition("a b c a b c a b c") == pytest.approx(1 - 3 / 7)
    assert repetition("") == 0


def test_grounding_meets_inflected_words_and_orders():
    assert grounding("installing packages", "It installs the package.") == pytest.approx(1.0)
    assert grounding("package installing", "It installs the package.") == pytest.approx(2 / 3)
    assert grounding("the of and", "anything") == 0
    assert grounding("处理器", "内核分配处理器") == 1.0


def test_numbers_of_steps_are_no_claims():
    assert foreign_numbers("1. Take 5.\nStep 2: take 7 of 1,024.", "there are 5") == ["7", "1,024"]


def test_near_duplicates_of_long_texts_are_estimated():
    rng = random.Random(0)
    for _ in range(20):
        text = [str(rng.random()) for _ in range(600)]
        cut = rng.randrange(420, 600)
        other = text[:cut] + [str(rng.random()) for _ in range(600 - cut)]
        seen = Seen()
        seen.add(" ".join(text))
        shared = cut - 4
        assert seen.most_similar(" ".join(other)) == pytest.approx(shared / (2 * 596 - shared), abs=0.15)


def test_near_duplicates_are_found_exactly():
    seen = Seen()
    seen.add("a b c d e f g")
    assert seen.most_similar("a b c d e f g") == 1.0
    assert seen.most_similar("a b c d e f x") == pytest.approx(2 / 4)
    assert seen.most_similar("p q r s t u") == 0.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The text you provided is a guide.", "The text you"),
        ("What does the `help` entry in the provided computer science text do?", "provided computer science text"),
        ("As described in the passage, it runs.", "As described in the passage"),
        ("The computer science text\nexplains how.", "The computer science text explains"),
        ("根据上述文字，内核是什么？", "上述文字"),
        ("文中提到的内核是什么？", "文中提到"),
        ("The editor saves the text of the message in a file, and the text file is sent.", ""),
        ("An article of the law; a passage between two seas. 文件中的文字和文本编辑器。", ""),
    ],
)
def test_what_points_at_a_text_that_the_reader_does_not_have(text: str, words: str):
    assert reference_to_source(text) == words


def test_distinct():
    assert distinct(["a b a b"], 2) == pytest.approx(2 / 3)


def test_shares_are_shares():
    with pytest.raises(ConfigError, match="min_grounding"):
        Demands(min_grounding=40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Linux nice级别是什么", ["linux", "nice", "级", "别", "是", "什", "么"]),
        ("Debian系统", ["debian", "系", "统"]),
        ("x86-64 的 don't", ["x86-64", "的", "don't"]),
    ],
)
def test_words_of_mixed_scripts_are_told_apart(text: str, expected: list[str]):
    assert words(text) == expected


@pytest.mark.parametrize(
    "problem",
    [
        "Calculate the work done.",
        "Let x be odd. Prove that x + 1 is even.",
        "求电流的大小。",
        "说明内核的作用",
        "为什么",
    ],
)
def test_what_demands_something_asks(problem: str):
    assert asks(problem)


@pytest.mark.parametrize(
    "statement", ["The kernel of a system.", "对于现代的 PC 而言，图形显示器通常不需配置即可工作。"]
)
def test_a_statement_asks_nothing(statement: str):
    assert not asks(statement)


def test_a_given_text_of_a_program_is_no_reference():
    assert not reference_to_source("Count the words in a given text.")
    assert reference_to_source("Count the words in the given text.")
