import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from regraft.core import ConfigError, Execution, StepFailed
from regraft.corpus.document import Changed
from regraft.curation.filters.chain import (
    C4,
    Chain,
    FilterConfig,
    FineWeb,
    GopherQuality,
    GopherRepetition,
    LanguageFilter,
    MinTokens,
    filter_documents,
)
from regraft.curation.language.identify import detect
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of
from tests.curation.prose import CHINESE, ENGLISH, document


def test_each_filter_sees_what_the_one_before_left() -> None:
    text = f"{ENGLISH} Some do not. Others do. All will see. They wait.\nHome\nAbout\nContact\nLinks"
    assert Chain((FineWeb(),), ("FineWeb",))(document(text)) != document(text)
    kept = document(text.partition("\n")[0])
    assert Chain((C4(), FineWeb()), ("C4", "FineWeb"))(document(text)) == Changed(
        kept, {"lines_without_punctuation": 4}
    )


def filtered(tmp_path: Path, **settings: Any) -> Any:
    given_documents = [
        document(ENGLISH, "en", "en"),
        document(ENGLISH, "zh", "mislabelled"),
        document(CHINESE, "zh", "zh"),
        document(CHINESE[:40], "zh", "short"),
        document(f"{ENGLISH}\nHome", "en", "menu"),
        document(f"{ENGLISH}\n{ENGLISH}", "en", "twice"),
    ]
    filters = (
        LanguageFilter(languages=("zh", "en")),
        MinTokens(),
        GopherQuality(),
        GopherRepetition(),
        C4(min_sentences=2),
    )
    config = FilterConfig(filters=(*filters, FineWeb()), **settings)
    return make(filter_documents.step("clean", config, docs=corpus(given_documents)), tmp_path)


def test_the_stage_keeps_and_rejects_with_reasons(tmp_path: Path) -> None:
    made = filtered(tmp_path)
    looks = f"said zh, looks like en with probability {detect(ENGLISH)[1]:.2f}; zh or en with at least 0.5 asked for"
    assert [(row["id"], row["text"]) for row in documents_of(made)] == [
        ("en", ENGLISH),
        ("zh", CHINESE),
        ("menu", ENGLISH),
    ]
    assert [(row["id"], row["reason"], row["detail"]) for row in rejects_of(made)] == [
        ("mislabelled", "language", f"LanguageFilter: {looks}"),
        ("short", "num_words", "GopherQuality: 25 words, marks not counted; at least 50 asked for"),
        ("twice", "repeated_lines", "GopherRepetition: 0.50 of the lines stood there before; at most 0.3 allowed"),
    ]
    assert made.manifest.metrics["language.zh"] == 1
    assert made.manifest.metrics["changed.lines_without_punctuation"] == 1
    assert (filter_documents.version, digest_of(made)) == (7, "b78bd360d08e08db")


OWN_FILTER = """
from dataclasses import dataclass

from regraft.corpus.document import Document, Reject

NOTED = "shouted"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoShouting:
    longest: int = 3

    def check(self, document, view):
        return reject(document) if all(map(str.isupper, view.words)) and len(document.text) > self.longest else document


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
