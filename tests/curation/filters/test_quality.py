import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.corpus.document import Document, Outcome, Reject
from regraft.curation.filters.quality import GopherQuality
from regraft.curation.filters.view import View
from tests.curation.prose import CHINESE, ENGLISH, document, reason


def judged(text: str, **settings: int) -> Outcome:
    return GopherQuality(**settings).check(document(text), View(text))


def test_good_text_passes_in_both_languages() -> None:
    for text in (ENGLISH, CHINESE, CHINESE + " apt-get install fonts-noto-cjk"):
        assert judged(text) == document(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" ".join(ENGLISH.split()[:49]), "num_words"),
        (CHINESE[:74], "num_words"),
        ("", "num_words"),
        ("a be to " * 60, "mean_word_length"),
        ("the and telecommunications internationalisation " * 60, "mean_word_length"),
        ("the and 1234 567 8901 " * 30, "alphabetic_words"),
        ("the grafted = and branches & " * 30, "alphabetic_words"),
        ("graft joins young shoot " * 30, "stop_words"),
        ("嫁接植物枝条" * 30, "stop_words"),
        (ENGLISH + " #" * 10, "symbols"),
        (ENGLISH + " a..." * 10, "symbols"),
        ("\n".join("-" + word for word in ENGLISH.split()), "bullet_lines"),
        ("\n\n".join(ENGLISH[i : i + 40] + "…" * (i % 80 == 0) for i in range(0, 300, 40)), "ellipsis_lines"),
    ],
)
def test_each_rule_drops_what_it_is_for(text: str, expected: str) -> None:
    assert reason(judged(text)) == expected


def test_the_figure_is_in_the_detail() -> None:
    assert judged(CHINESE[:74]) == Reject("num_words", "46 words, marks not counted; at least 50 asked for")
    assert judged("the and 1234 567 8901 " * 30) == Reject(
        "alphabetic_words", "0.40 of the words and punctuation marks have a letter; at least 0.8 asked for"
    )


def test_marks_are_no_words_of_the_number_but_of_the_share() -> None:
    words = " ".join(ENGLISH.split()[:49])
    assert reason(judged(words + " , ; : !")) == "num_words"
    assert reason(judged(ENGLISH.replace(" ", " , "))) == "alphabetic_words"


@given(st.text(alphabet="ab 的是1#…\n-", max_size=300))
def test_quality_never_raises(text: str) -> None:
    assert isinstance(judged(text, min_words=1, min_stop_words=0), Document | Reject)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError):
        GopherQuality(min_words=9, max_words=8)
