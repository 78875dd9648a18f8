import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError, Execution, StepFailed
from regraft.corpus.document import Document, Reject
from regraft.curation.filters import FilterConfig, GopherQuality, LanguageFilter, filter_documents
from regraft.curation.language import detect
from regraft.curation.words import CJK, han_share, spaced_words, words
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
    assert spaced_words("It's 2 (well-known) 软件包，カナ! = x") == (
        ["It's", "2", "(well-known)", "软", "件", "包，", "カ", "ナ!", "=", "x"]
    )
    assert han_share("ab软件") == 0.5
    assert han_share("123") == 0.0


@given(st.text())
def test_words_cover_every_letter_and_digit_once(text: str) -> None:
    for split in (words, spaced_words):
        assert [c for c in "".join(split(text)) if c.isalnum()] == [c for c in text if c.isalnum()]


@given(st.text().filter(lambda text: not re.search(f"[{CJK}]", text)))
def test_spaced_words_of_text_without_cjk_are_what_spaces_part(text: str) -> None:
    assert spaced_words(text) == text.split()


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
        ("the grafted = and branches & " * 30, "alphabetic_words"),
        ("the and being --- " * 30 + "a , . " * 30, "mean_word_length"),
        ("graft joins young shoot " * 30, "stop_words"),
        ("嫁接植物枝条" * 30, "stop_words"),
        (ENGLISH + "#" * 30, "symbols"),
        (ENGLISH + "..." * 30, "symbols"),
        ("\n".join("-" + word for word in ENGLISH.split()), "bullet_lines"),
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
    assert (filter_documents.version, digest_of(made)) == (3, "1ea399970092a1f1")


OWN_FILTER = """
from dataclasses import dataclass

from regraft.corpus.document import Document, Reject

NOTED = "shouted"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoShouting:
    longest: int = 3

    def check(self, document):
        return reject(document) if document.text.isupper() and len(document.text) > self.longest else document


def reject(document):
    return Reject(NOTED, document.text)
"""


def test_workers_know_a_filter_out_of_a_file_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module is loaded by its path, as a recipe `file.py:function` is: no import would find it."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "own_recipe.py").write_text(OWN_FILTER)
    spec = importlib.util.spec_from_file_location("own_recipe", tmp_path / "own_recipe.py")
    assert spec is not None
    assert spec.loader is not None
    own = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "own_recipe", own)
    spec.loader.exec_module(own)
    monkeypatch.setattr("regraft.corpus.work.SERIAL", 0)
    monkeypatch.chdir(tmp_path / "elsewhere")
    docs = corpus([document(text, id_=text) for text in ("quiet", "LOUD", "LOU")], per_shard=1)
    step = filter_documents.step("own", FilterConfig(filters=(own.NoShouting(),)), docs=docs)
    made = make(step, tmp_path, Execution(workers=2))
    assert [row["id"] for row in documents_of(made)] == ["quiet", "LOU"]
    assert [(row["id"], row["reason"]) for row in rejects_of(made)] == [("LOUD", "shouted")]


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
