from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from regraft.core import ConfigError, RawFiles, SourceFile, StepFailed
from regraft.corpus.document import Reject
from regraft.curation.filters.chain import FilterConfig, filter_documents
from regraft.curation.filters.length import MinTokens
from regraft.curation.filters.view import View
from tests.corpus.given import corpus, documents_of, make, rejects_of
from tests.curation.prose import document

TEXTS = {"long": "root " * 700, "enough": "root " * 20, "short": "root " * 19}


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A token for each word."""
    made = Tokenizer(models.WordLevel({"root": 0, "?": 1}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # type: ignore[assignment]
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_tokens_are_counted_by_the_tokenizer_of_the_model(tmp_path: Path, tokenizer: Path) -> None:
    filters = (MinTokens(tokenizer=RawFiles(root=str(tokenizer))),)
    docs = corpus([document(text, id_=name) for name, text in TEXTS.items()])
    made = make(filter_documents.step("clean", FilterConfig(filters=filters), docs=docs), tmp_path)
    assert [row["id"] for row in documents_of(made)] == ["long", "enough"]
    assert [(row["id"], row["reason"], row["detail"]) for row in rejects_of(made)] == [
        ("short", "num_tokens", "MinTokens: 19 tokens; at least 20 asked for")
    ]


def test_tokens_are_estimated_from_bytes_without_one() -> None:
    judge = MinTokens(min_tokens=3).opened({})
    assert judge.check(document("twelve bytes"), View("twelve bytes")) == document("twelve bytes")
    assert judge.check(document("老树新"), View("老树新")) == Reject(
        "num_tokens", "about 2 tokens; at least 3 asked for"
    )


def test_one_tokenizer_is_asked_for(tmp_path: Path) -> None:
    two = tuple(SourceFile(name=name, sha256=name) for name in "ab")
    with pytest.raises(ConfigError, match=r"MinTokens.tokenizer has 2 files"):
        MinTokens(tokenizer=RawFiles(root="", files=two)).opened(dict.fromkeys(two, tmp_path))


def test_a_file_that_is_no_tokenizer_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("{}")
    filters = (MinTokens(tokenizer=RawFiles(root=str(tmp_path / "no.json"))),)
    with pytest.raises(StepFailed, match="no tokenizer"):
        make(filter_documents.step("clean", FilterConfig(filters=filters), docs=corpus([document("a")])), tmp_path)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError):
        MinTokens(min_tokens=0)
