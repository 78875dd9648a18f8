import json

import pytest

from regraft.evaluation.questions import read_questions, sample, to_json

GOOD = {"question": "Which is a fruit? ", "options": "A. a stone\nB. an apple", "answer": "B. an apple"}


def read(*rows, max_characters=0):
    return read_questions(
        [row if isinstance(row, str) else json.dumps(row) for row in rows], max_characters=max_characters
    )


def test_letters_are_cut_off_and_the_answer_is_a_position():
    (question,), left_out = read(GOOD)
    assert (question.question, question.choices, question.answer) == ("Which is a fruit?", ("a stone", "an apple"), 1)
    assert not left_out
    assert json.loads(to_json(question))["choices"] == ["a stone", "an apple"]


@pytest.mark.parametrize(
    "bad",
    [
        "{broken",
        "[]",
        {"question": "no options?", "answer": "A. x"},
        {"question": None, "options": "A. x\nB. y", "answer": "A. x"},
        GOOD | {"answer": "C. a pear"},
        GOOD | {"options": "B. an apple"},
        GOOD | {"options": "A. an apple\nB. an apple"},
        GOOD | {"options": "A. two\nlines\nB. an apple"},
        GOOD | {"question": "  "},
    ],
)
def test_what_cannot_be_asked_is_counted(bad):
    questions, left_out = read(bad, GOOD)
    assert len(questions) == 1
    assert left_out == {"malformed": 1}


def test_duplicates_and_long_questions_are_counted():
    questions, left_out = read(GOOD, GOOD, GOOD | {"question": "x" * 500}, max_characters=100)
    assert len(questions) == 1
    assert left_out == {"duplicate": 1, "too_long": 1}


def test_a_sample_does_not_depend_on_the_order_of_the_file():
    questions, _ = read(*[GOOD | {"question": f"Question {i}?"} for i in range(50)])
    drawn = sample(questions, 10, seed=1)
    assert drawn == sample(questions[::-1], 10, seed=1)
    assert drawn != sample(questions, 10, seed=2)
    assert len(sample(questions, 99, seed=1)) == 50
