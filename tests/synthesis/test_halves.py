import pytest

from regraft.corpus.document import Document, meta_json
from regraft.synthesis.halves import halves, solution_start
from regraft.synthesis.pairs import Pair


def document(text: str, **meta: str) -> Document:
    return Document(id="d", text=text, source="s", meta=meta_json(meta))


@pytest.mark.parametrize(
    ("text", "meta", "problem"),
    [
        ("What is 1 + 1?\n\nIt is 2.", {}, "What is 1 + 1?"),
        ("\n\nWhat is 1 + 1?\n\nIt is 2.\n\n", {}, "What is 1 + 1?"),
        ("Given.\n\nWhat is it?\n\nIt is 2.", {"solution_start": "20"}, "Given.\n\nWhat is it?"),
        (
            "Problem: What is 1 + 1?\n\nAdd them.\nSolution: It is 2.",
            {},
            "What is 1 + 1?\n\nAdd them.",
        ),
        ("题目：一加一是多少？\n\n解答：It is 2.", {}, "一加一是多少？"),
    ],
)
def test_a_solution_is_told_from_its_problem(text: str, meta: dict[str, str], problem: str):
    assert halves(document(text, **meta)) == Pair(problem=problem, solution="It is 2.")


@pytest.mark.parametrize(
    ("text", "meta"),
    [
        ("A text of one paragraph.", {}),
        ("One.\n\nTwo.\n\nThree.", {}),
        ("", {}),
        ("One.\n\nTwo.", {"solution_start": "900"}),
        ("One. Two.", {"solution_start": "-4"}),
    ],
)
def test_nothing_is_guessed(text: str, meta: dict[str, str]):
    assert solution_start(document(text, **meta)) == 0
    assert halves(document(text, **meta)) is None
