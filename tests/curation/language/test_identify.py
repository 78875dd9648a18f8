import json
from typing import Any

import pytest

from regraft.core import ConfigError
from regraft.corpus.document import Changed, Document, Reject
from regraft.curation.language.identify import LanguageFilter, detect
from regraft.curation.language.mixed import MixedLanguages
from tests.curation.language.test_script import HANS, HANT

VIEW: Any = None
"""The filters of this file look at the document only."""
ENGLISH = "Free software is a matter of liberty, not price. To understand the concept, think of free as in free speech."
CODE = "for i in range(10):\n    print(f'{i:03d}', end='')  # 0 1 2\n    x[i] = y[i] + 1\n    assert x[i] != 0, (i, x)"


def document(text: str, language: str = "") -> Document:
    return Document(id="a", text=text, source="s", language=language)


def test_language_is_set_confirmed_or_refused() -> None:
    both = LanguageFilter(languages=("zh", "en"))
    set_, confirmed = both.check(document(ENGLISH), VIEW), both.check(document(ENGLISH, "en"), VIEW)
    assert isinstance(set_, Document)
    assert set_ == confirmed
    assert set_.language == "en"
    said = f"said zh, looks like en with probability {detect(ENGLISH)[1]:.2f}; zh or en with at least 0.5 asked for"
    assert both.check(document(ENGLISH, "zh"), VIEW) == Reject("language", said)


def test_chinese_documents_say_their_script() -> None:
    keep = LanguageFilter(languages=("zh",))
    for text, name in ((HANS, "Hans"), (HANT, "Hant")):
        kept = keep.check(document(text), VIEW)
        assert isinstance(kept, Document)
        assert json.loads(kept.meta) == {"script": name}


def test_a_script_can_be_asked_for() -> None:
    hans = LanguageFilter(languages=("zh", "en"), scripts=("Hans",))
    assert isinstance(hans.check(document(HANS), VIEW), Document)
    assert isinstance(hans.check(document(ENGLISH), VIEW), Document)
    assert hans.check(document(HANT), VIEW) == Reject("script", "Hant, 1.00 of the telling characters; Hans asked for")


def test_foreign_paragraphs_are_cut_from_a_page_in_its_language() -> None:
    page = document("\n\n".join([HANS, HANS, ENGLISH, CODE, "debian.org", HANS]), "zh")
    made = MixedLanguages().check(page, VIEW)
    assert isinstance(made, Changed)
    assert made.document.text == "\n\n".join([HANS, HANS, CODE, "debian.org", HANS])
    assert made.counts == {"foreign_paragraphs": 1}


def test_a_page_that_is_mostly_foreign_is_dropped() -> None:
    made = MixedLanguages().check(document("\n\n".join([HANS, ENGLISH, ENGLISH]), "zh"), VIEW)
    assert isinstance(made, Reject)
    assert made.reason == "mixed_languages"
    assert made.detail.endswith("of the prose is not in zh; at most 0.5 allowed")


def test_a_page_with_little_that_is_foreign_stays_whole() -> None:
    page = document("\n\n".join([HANS] * 30 + [ENGLISH]), "zh")
    assert MixedLanguages().check(page, VIEW) is page
    code_only = document(CODE, "zh")
    assert MixedLanguages().check(code_only, VIEW) is code_only


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: LanguageFilter(languages=()),
        lambda: LanguageFilter(languages=("en",), min_score=2),
        lambda: LanguageFilter(languages=("zh",), scripts=("Hani",)),  # type: ignore[arg-type]
        lambda: MixedLanguages(keep_share=0.6),
        lambda: MixedLanguages(min_letters=0),
    ],
)
def test_settings_are_checked(wrong: Any) -> None:
    with pytest.raises(ConfigError):
        wrong()
