import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.synthesis.snippets import SnippetRule, is_in, is_prose, snippets_of
from tests.synthesis.given import PAGES

RULE = SnippetRule(characters=400, min_characters=100)


def test_snippets_are_whole_paragraphs_of_prose():
    text = PAGES["mirrors"][1]
    found = snippets_of("d", text, RULE)
    assert [s.text.split()[0] for s in found] == ["A", "The"]
    assert all(text[s.start : s.end] == s.text for s in found)
    assert all("deb http" not in s.text for s in found)


def test_code_and_lists_give_no_snippet():
    assert snippets_of("d", PAGES["code"][1] * 20, RULE) == []


def test_a_long_paragraph_is_cut_after_a_sentence():
    text = "This sentence has exactly as many words as it needs to have. " * 30
    (snippet, *_) = snippets_of("d", text, RULE)
    assert 300 < len(snippet.text) <= 400
    assert snippet.text.endswith("have.")


@given(st.text(alphabet="ab .\n-。内", max_size=600), st.integers(1, 80), st.integers(0, 80))
def test_offsets_hold_and_snippets_do_not_overlap(text: str, least: int, more: int):
    found = snippets_of(
        "d", text, SnippetRule(characters=least + more, min_characters=least, min_prose=0.0, min_line=5)
    )
    end = 0
    for s in found:
        assert s.start >= end
        assert text[s.start : s.end] == s.text
        assert least <= len(s.text) <= least + more
        end = s.end


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("The kernel is a program that manages the hardware of the machine.", True),
        ("内核是一种管理硬件的程序，它把处理器和内存分配给其他程序。", True),
        ("- The kernel is a program that manages the hardware of the machine.", False),
        ("for (i = 0; i < n; ++i) { total += values[i] * weights[i]; } // sum;", False),
        ("Short.", False),
    ],
)
def test_prose(line: str, expected: bool):
    assert is_prose(line, 60) is expected


def test_a_rule_that_nothing_can_obey_is_refused():
    with pytest.raises(ConfigError, match="min_characters"):
        SnippetRule(characters=100, min_characters=200)


def test_a_line_of_prose_has_a_character():
    with pytest.raises(ConfigError, match="min_line is 0"):
        SnippetRule(min_line=0)
    rule = SnippetRule(characters=400, min_characters=1, min_line=1)
    assert [s.text for s in snippets_of("d", "Some words.\n \nMore words.", rule)] == ["Some words.\n \nMore words."]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("内核是一种管理硬件的程序。", "zh", True),
        ("用 apt-get install debian-installer 安装 Debian GNU/Linux 的软件包。", "zh", True),
        ("The kernel manages the hardware, and nobody translated it.", "zh", False),
        ("The kernel manages the hardware.", "en", True),
        ("内核是一种管理硬件的程序。", "en", False),
        ("The character 文 is a word.", "en", True),
    ],
)
def test_a_paragraph_in_another_script_is_told(text: str, language: str, expected: bool):
    assert is_in(text, language) is expected
