import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.synthesis.pairs import Pair, parse_pair

PAIR = Pair(problem="What is a kernel?", solution="A program.\n\nIt manages hardware.")


@pytest.mark.parametrize(
    "text",
    [
        "Problem: What is a kernel?\nSolution: A program.\n\nIt manages hardware.",
        "**Problem:**\nWhat is a kernel?\n\n**Solution:**\nA program.\n\nIt manages hardware.",
        "## Problem\n\nWhat is a kernel?\n\n## Solution\n\nA program.\n\nIt manages hardware.\n---\n",
        "Sure! Here it is.\n\n[Problem]\nWhat is a kernel?\n[Solution]\nA program.\n\nIt manages hardware.",
        "1. **Problem**: What is a kernel?\n2. **Solution**: A program.\n\nIt manages hardware.",
        "Question: What is a kernel?\nAnswer: A program.\n\nIt manages hardware.",
        "Problem 1: What is a kernel?\nSolution 1: A program.\n\nIt manages hardware.\nProblem 2: "
        "And?\nSolution 2: No.",
        "Problem: What is a kernel? **Solution:** A program.\n\nIt manages hardware.",
        "问题：What is a kernel?\n答案：A program.\n\nIt manages hardware.",
    ],
)
def test_headings_of_many_forms_are_read(text: str):
    assert parse_pair(text) == PAIR


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("What is a kernel?", "no section Solution"),
        ("Problem: What is a kernel?", "no section Solution"),
        ("Solution: A program.", "no section Problem"),
        ("Problem:\nSolution: A program.", "section Problem is empty"),
        ("Problem: What?\nSolution:", "section Solution is empty"),
        ("This problem is hard.\nThe solution: unknown", "no section Solution"),
    ],
)
def test_what_is_missing_is_named(text: str, reason: str):
    assert parse_pair(text) == reason


@given(st.text())
def test_any_text_is_a_pair_or_a_reason(text: str):
    parsed = parse_pair(text)
    assert isinstance(parsed, str) or (parsed.problem and parsed.solution)


def test_a_question_may_end_with_a_figure_before_its_solution():
    pair = parse_pair("Problem: Which band was formed in 2005? Solution: It was formed in Las Vegas.")
    assert pair == Pair(problem="Which band was formed in 2005?", solution="It was formed in Las Vegas.")
