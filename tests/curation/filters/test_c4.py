import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.corpus.document import Changed, Outcome, Reject
from regraft.curation.filters.c4 import C4
from regraft.curation.filters.view import View
from tests.curation.prose import document

FIVE = "One is a sentence. Two is one.\nThree is one! Is four one?\nHe said “five is one.”"


def judged(text: str, filter_: C4 | None = None) -> Outcome:
    return (filter_ or C4()).check(document(text), View(text))


def test_sentences_stay_as_they_are() -> None:
    assert judged(FIVE) == document(FIVE)


@pytest.mark.parametrize(
    ("line", "reason_of_line"),
    [
        ("Home | About | Contact", "lines_without_punctuation"),
        ("Read more about this ...", "lines_without_punctuation"),
        ("Two words.", "lines_of_few_words"),
        ("下一页。", "lines_of_few_words"),
        ("Please turn on JavaScript to see this.", "lines_with_phrase"),
        ("We use cookies on all pages.", "lines_with_phrase"),
        (f"A word of {'x' * 1001} characters.", "lines_with_long_word"),
    ],
)
def test_other_lines_go_and_are_counted(line: str, reason_of_line: str) -> None:
    assert judged(f"{FIVE}\n\n{line}") == Changed(document(FIVE), {reason_of_line: 1})


def test_citations_go_but_their_line_stays() -> None:
    assert judged(f"{FIVE}\nIt says so.[12][citation needed]") == Changed(
        document(f"{FIVE}\nIt says so."), {"citations": 2}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FIVE.replace("five", "lorem ipsum"), Reject("phrase", "'lorem ipsum' in a line")),
        (FIVE.replace("five", "f() {}"), Reject("phrase", "'{' in a line")),
        (FIVE.rpartition("\n")[0], Reject("few_sentences", "4 sentences in 2 lines that stay; at least 5 asked for")),
        ("", Reject("few_sentences", "0 sentences in 0 lines that stay; at least 5 asked for")),
    ],
)
def test_documents_that_are_dropped(text: str, expected: Reject) -> None:
    assert judged(text) == expected


def test_a_bracket_in_a_line_that_goes_anyway_does_no_harm() -> None:
    assert judged(f"{FIVE}\nint main() {{") == Changed(document(FIVE), {"lines_without_punctuation": 1})


def test_chinese_lines_are_sentences_without_spaces() -> None:
    text = "嫁接是古老的方法。园丁都知道。\n老树保持力量！新枝结出果实？" + "很长" * 600 + "。"
    assert judged(text) == document(text)
    assert judged(text, C4(min_sentences=6)) == Reject(
        "few_sentences", "5 sentences in 2 lines that stay; at least 6 asked for"
    )


def test_lines_without_punctuation_can_stay() -> None:
    assert judged(f"A heading of words\n{FIVE}", C4(terminal_marks=())) == document(f"A heading of words\n{FIVE}")


@given(st.text(alphabet="ab.[1]{ \n。是", max_size=120))
def test_never_raises_and_adds_nothing(text: str) -> None:
    outcome = judged(text, C4(min_sentences=0))
    kept = outcome.document.text if isinstance(outcome, Changed) else ""
    assert set(kept) <= set(text)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="lower case"):
        C4(line_phrases=("Cookies",))
