import pytest

from regraft.corpus.document import Reject
from regraft.synthesis.genres import Faq, Genre, Given, ProblemSolution, Relation, Rephrased, Table, Tutorial
from regraft.synthesis.pairs import Pair

GIVEN = Given(snippet="The kernel is a program that manages the hardware and lends it to all other programs.")
TABLE = "Memory of machines\n\n| Machine | Memory |\n|---|---|\n| a | 1 GB |\n| b | 2 GB |\n\nMachine b has more."
TUTORIAL = "# How to sort\n\nYou will sort a list.\n\n1. **Choose** a pivot.\n   1. any\n2. Split.\n3. Sort both.\n"


def read(genre: Genre, answer: str, given: Given = GIVEN) -> Pair:
    found = genre.read(answer, given)
    assert isinstance(found, Pair), found
    return found


def why(genre: Genre, answer: str, given: Given = GIVEN) -> str:
    found = genre.read(answer, given)
    assert isinstance(found, Reject), found
    return f"{found.reason}: {found.detail}"


def test_a_pair_is_two_sections():
    assert read(ProblemSolution(), "Problem: A?\nSolution: B.").text == "A?\n\nB."
    assert read(ProblemSolution(), "Problem: A?\nSolution: B.").solution_start == 4
    assert (
        read(ProblemSolution(), "<think>Problem: x\nSolution: y</think>\n【题目】A？\n【解答】B。").text == "A？\n\nB。"
    )
    assert why(ProblemSolution(), "<think>Problem: A?\nSolution: B.") == "unparsable: no section Solution"


@pytest.mark.parametrize(
    "answer",
    [
        "Q: What is a?\nA: One.\nQ: What is b?\nA: Two.\nAnd more.\nQ: What is c?\nA: Three.",
        "**Question 1:** What is a?\n**Answer 1:** One.\n\n**Question 2:** What is b?\n**Answer 2:** Two.\n"
        "And more.\n\n**Question 3:** What is c?\n**Answer 3:** Three.",
        "Q: What is a? A: One.\nQ: What is b? **A:** Two.\nAnd more.\nQ: What is c? Answer: Three.",
        "Here are some questions:\n\n1. **What is a?**\n\nOne.\n\n2. **What is b?**\n\nTwo.\nAnd more.\n\n"
        "3. **What is c?**\n\nThree.",
        "### What is a?\nOne.\n### What is b?\nTwo.\nAnd more.\n### What is c?\nThree.\n",
    ],
)
def test_an_faq_is_read_in_many_forms(answer: str):
    pair = read(Faq(), answer)
    assert pair.problem == "What is a?\nWhat is b?\nWhat is c?"
    assert pair.text == "What is a?\nOne.\n\nWhat is b?\nTwo.\nAnd more.\n\nWhat is c?\nThree."
    assert pair.solution_start == 0


def test_an_faq_in_chinese():
    assert (
        read(Faq(min_questions=2), "问：甲是什么？\n答：一。\n\n问：乙是什么？\n答：二。").text
        == "甲是什么？\n一。\n\n乙是什么？\n二。"
    )


def test_an_faq_with_too_few_different_questions_is_none():
    assert why(Faq(), "Q: A?\nA: 1.\nQ: a?\nA: 2.\nQ: B?\nA: 3.\nQ: C?") == "form: 2 different questions with an answer"
    assert read(Faq(min_questions=2), "Q: A?\nA: 1.\nQ: a?\nA: 2.\nQ: B?\nA: 3.").text == "A?\n1.\n\nB?\n3."
    assert why(Faq(), "No questions here.") == "form: 0 different questions with an answer"


@pytest.mark.parametrize(
    "answer",
    [
        TUTORIAL,
        f"Sure! Here is the tutorial:\n\n{TUTORIAL}",
        f"```markdown\n{TUTORIAL}```",
        "如何排序\n学完能排序。\n第一步：选。\n第二步：分。\n第三步：排。",
        "Sorting\n**Step 1:** Choose.\n**Step 2:** Split.\n**Step 3:** Sort.",
    ],
)
def test_a_tutorial_has_a_title_and_numbered_steps(answer: str):
    pair = read(Tutorial(), answer)
    assert not pair.problem
    assert pair.text.startswith(("# How to sort", "如何排序", "Sorting"))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("1. Choose.\n2. Split.\n3. Sort.", "form: no title above the steps"),
        ("Sorting\n1. Choose.\n3. Sort.\n4. End.", "form: 1 numbered steps"),
        ("Sorting is easy.", "form: no title above the steps"),
    ],
)
def test_what_is_no_tutorial_says_why(answer: str, reason: str):
    assert why(Tutorial(), answer) == reason


def test_a_table_has_equal_rows_and_words_around_it():
    assert read(Table(), TABLE).text == TABLE
    assert read(Table(), TABLE.replace("|---|---|", "| :--- | ---: |")).text
    assert why(Table(), "No table.") == "form: no table"
    assert why(Table(), TABLE.replace("| b | 2 GB |", "| b |")).startswith("form: rows of the table differ")
    assert why(Table(), TABLE.replace("| b | 2 GB |\n", "")) == "form: a table of 1 rows and 2 columns"
    assert (
        why(Table(), "| Machine | Memory |\n|---|---|\n| a | 1 |\n| b | 2 |") == "form: a table without a word about it"
    )


def test_a_rephrased_text_is_no_copy_and_about_as_long():
    text = "All hardware is in the care of one program, the kernel, from which the other programs borrow it."
    assert read(Rephrased(), f"Here is the rewritten text:\n{text}").text == text
    assert why(Rephrased(), GIVEN.snippet) == "copied: 1.000"
    assert why(Rephrased(), "The kernel.").startswith("form: 0.")
    assert why(Rephrased(), text * 4).startswith("form: ")


def test_a_relation_names_both():
    given = Given(snippet="x", entities=("Kernel", "driver"))
    assert read(Relation(), "The kernel loads a driver.", given).text == "The kernel loads a driver."
    assert why(Relation(), "The kernel.", given) == "form: does not name 'driver'"
