from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError, StepFailed
from regraft.corpus.document import Document, Reject
from regraft.curation.filters import FilterConfig, GopherQuality, LanguageFilter, filter_documents
from regraft.curation.language import detect
from regraft.curation.words import han_share, words
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of

ENGLISH = (
    "A graft joins a young shoot to an old root, and the tree that grows from it keeps the strength of the root and "
    "the fruit of the shoot. Gardeners have known this for two thousand years, and they still cut the wood with a "
    "sharp knife, bind it with a strip of bark and wait for the summer to see whether it will take."
)
CHINESE = (
    "嫁接是把一种植物的枝条接到另一种植物的根上，使它们长成一个整体。老树保持原有的力量，新枝结出更好的果实。"
    "园丁在春天用锋利的刀把两边斜着切开，让切口紧紧贴在一起，再用布条绑好，等待木质慢慢愈合。这种方法已经用了两千多年，今天的果园里还是这样做。"
)


def document(text: str, language: str = "", id_: str = "a") -> Document:
    return Document(id=id_, text=text, source="s", language=language)


def reason(outcome: Document | Reject) -> str:
    return outcome.reason if isinstance(outcome, Reject) else ""


def test_words_of_two_scripts() -> None:
    assert words("It's 2 well-known 软件包, カナ!") == ["It's", "2", "well-known", "软", "件", "包", "カ", "ナ"]
    assert han_share("ab软件") == 0.5
    assert han_share("123") == 0.0


@given(st.text())
def test_words_cover_every_letter_and_digit_once(text: str) -> None:
    joined = "".join(words(text))
    assert [c for c in joined if c.isalnum()] == [c for c in text if c.isalnum() and c in joined]


def test_language_is_set_confirmed_or_refused() -> None:
    both = LanguageFilter(languages=("zh", "en"))
    assert both.check(document(CHINESE)) == document(CHINESE, "zh")
    assert both.check(document(ENGLISH, "en")) == document(ENGLISH, "en")
    assert both.check(document(ENGLISH, "zh")) == Reject(
        "language", f"said zh, looks like en ({detect(ENGLISH)[1]:.2f})"
    )
    assert reason(LanguageFilter(languages=("zh",)).check(document(ENGLISH))) == "language"
    assert reason(LanguageFilter(languages=("en",), min_score=1.0).check(document(ENGLISH + CHINESE))) == "language"


def test_language_is_judged_by_more_than_the_first_line() -> None:
    """The library looks at 80 characters unless it is told otherwise."""
    assert (
        detect("apt-get install debian-reference-zh-cn manpages-zh fonts-noto-cjk libpinyin ibus\n" + CHINESE)[0]
        == "zh"
    )


def test_good_text_passes_in_both_languages() -> None:
    for text in (ENGLISH, CHINESE, CHINESE + " apt-get install fonts-noto-cjk"):
        assert GopherQuality().check(document(text)) == document(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" ".join(ENGLISH.split()[:49]), "num_words"),
        (CHINESE[:74], "num_words"),
        ("", "num_words"),
        ("a be to " * 60, "mean_word_length"),
        ("the and telecommunications internationalisation " * 60, "mean_word_length"),
        ("the and 1234 567 8901 " * 30, "alphabetic_words"),
        ("graft joins young shoot " * 30, "stop_words"),
        ("嫁接植物枝条" * 30, "stop_words"),
        (ENGLISH + " #" * 30, "symbols"),
        (ENGLISH + "..." * 30, "symbols"),
        ("\n".join("- " + word for word in ENGLISH.split()), "bullet_lines"),
        ("\n".join(ENGLISH[i : i + 40] + "…" * (i % 80 == 0) for i in range(0, 300, 40)), "ellipsis_lines"),
    ],
)
def test_each_rule_drops_what_it_is_for(text: str, expected: str) -> None:
    assert reason(GopherQuality().check(document(text))) == expected


@given(st.text(alphabet="ab 的是1#…\n-", max_size=300))
def test_quality_never_raises(text: str) -> None:
    GopherQuality(min_words=1, min_stop_words=0).check(document(text))


def filtered(tmp_path: Path, **settings: Any) -> Any:
    given_documents = [
        document(ENGLISH, "en", "en"),
        document(ENGLISH, "zh", "mislabelled"),
        document(CHINESE, "zh", "zh"),
        document(CHINESE[:40], "zh", "short"),
    ]
    config = FilterConfig(filters=(LanguageFilter(languages=("zh", "en")), GopherQuality()), **settings)
    return make(filter_documents.step("clean", config, docs=corpus(given_documents)), tmp_path)


def test_the_stage_keeps_and_rejects_with_reasons(tmp_path: Path) -> None:
    made = filtered(tmp_path)
    assert [row["id"] for row in documents_of(made)] == ["en", "zh"]
    assert [(row["id"], row["reason"], row["detail"]) for row in rejects_of(made)] == [
        ("mislabelled", "language", f"said zh, looks like en ({detect(ENGLISH)[1]:.2f})"),
        ("short", "num_words", "25 words"),
    ]
    assert made.manifest.metrics["language.zh"] == 1
    assert (filter_documents.version, digest_of(made)) == (1, "1ea399970092a1f1")


def test_a_language_without_documents_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="No document in 'fr' was kept"):
        filtered(tmp_path, required_languages=("zh", "fr"))


def test_wrong_settings_are_refused() -> None:
    for wrong in (
        lambda: LanguageFilter(languages=()),
        lambda: LanguageFilter(languages=("en",), min_score=2),
        lambda: GopherQuality(min_words=9, max_words=8),
        lambda: FilterConfig(filters=()),
    ):
        with pytest.raises(ConfigError):
            wrong()
