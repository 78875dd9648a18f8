import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.curation.extraction.boilerplate import without_boilerplate
from regraft.curation.extraction.normalize import broken_share, normalise, repaired


@given(st.text())
def test_normalise_is_done_once(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert "\n\n\n" not in once


def test_what_is_seen_stays_and_what_is_not_goes() -> None:
    assert normalise("x² ① ，e\u0301 \U0001f468\u200d\U0001f469") == "x² ① ，é \U0001f468\u200d\U0001f469"
    assert normalise("a\u00adb\u200bc\ufeff \u202eevil\u202c \ue000\x00") == "abc evil"
    assert normalise("a\r\nb\x0cc\u2028d\u00a0e") == "a\nb\nc\nd e"


@pytest.mark.parametrize(
    ("broken", "right"), [("cafÃ© naÃ¯ve", "café naïve"), ("ÐŸÑ€Ð¸Ð²ÐµÑ‚", "Привет"), ("Â©2", "©2")]
)
def test_utf8_read_as_a_code_page_is_repaired(broken: str, right: str) -> None:
    assert repaired(f"{broken}\nline") == f"{right}\nline"


@pytest.mark.parametrize("text", ["São Paulo, à l'œuvre", "Ελληνικά", "中文，和“引号”", "½ × é", "ÄÖÜ äöü ß", "Привет"])
def test_right_text_is_left_alone(text: str) -> None:
    assert repaired(text) == text


def test_broken_share_counts_replacement_characters() -> None:
    assert broken_share("ab\ufffdd") == 0.25
    assert broken_share("") == 0


def test_boilerplate_goes_from_the_ends_only() -> None:
    text = (
        "Skip to content\nHome »\nTitle\n"
        + "A line of text.\n" * 30
        + "© 2020 A. Nobody\n版权所有 2020\n目录\nBack to top"
    )
    kept, lines = without_boilerplate(text)
    assert kept.splitlines() == ["Title", *["A line of text."] * 30]
    assert lines == 6
    inner = "Text.\n" * 10 + "Home\n" + "Text.\n" * 10
    assert without_boilerplate(inner) == (inner, 0)


@pytest.mark.parametrize(
    "line", ["print('====')", "The search for a home", "Copyright law in 1990", "首页的设计", "Next, do this."]
)
def test_text_that_begins_like_boilerplate_stays(line: str) -> None:
    assert without_boilerplate(line) == (line, 0)
