import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.corpus.document import Document, Outcome, Reject
from regraft.curation.filters.fineweb import FineWeb
from regraft.curation.filters.view import View
from tests.curation.prose import CHINESE, ENGLISH, document, reason


def judged(text: str, filter_: FineWeb | None = None) -> Outcome:
    return (filter_ or FineWeb()).check(document(text), View(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ENGLISH, ""),
        (CHINESE, ""),
        ("\n".join(part + "。" for part in CHINESE.split("。") if part), ""),
        (" \n", "no_lines"),
        ("\n".join(f"{ENGLISH[:40]} {i}" for i in range(9)), "line_punctuation"),
        (ENGLISH + "\nHome.\nAbout.\nContact.", "short_lines"),
        (f"{CHINESE}\n上一页。\n下一页。\n目录。", "short_lines"),
        (f"{ENGLISH}\n{ENGLISH[:60]}.\n{ENGLISH[:60]}.", "repeated_lines"),
        ("\n\n\n\n".join(f"{ENGLISH[i : i + 33]}." for i in range(0, 300, 33)), "newlines"),
    ],
)
def test_each_rule_drops_what_it_is_for(text: str, expected: str) -> None:
    assert reason(judged(text)) == expected


def test_the_figure_is_in_the_detail() -> None:
    assert judged(ENGLISH + "\nHome.\nAbout.\nContact.") == Reject(
        "short_lines", "0.75 of the lines have 30 characters or less; at most 0.67 allowed"
    )


def test_the_threshold_of_the_paper_allows_more_repetition() -> None:
    text = f"{ENGLISH}\nThe trees stand in the old garden.\nThe trees stand in the old garden."
    assert reason(judged(text)) == "repeated_lines"
    assert judged(text, FineWeb(max_repeated_characters=0.1)) == document(text)


@given(st.text(alphabet="a.。 \n\t\r是", max_size=60))
def test_never_raises(text: str) -> None:
    assert isinstance(judged(text), Document | Reject)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError):
        FineWeb(terminal_marks="")
