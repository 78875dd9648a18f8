from pathlib import Path

import pytest

from regraft.core import StepFailed
from regraft.corpus.document import Document
from regraft.curation.sample import SampleConfig, choose, sample_documents
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of

DOCUMENTS = [Document(id=f"{s}{n}", text="文" * 10, source=s) for s in ("web", "books") for n in range(20)]


def test_the_others_are_counted_so_that_all_add_up(tmp_path: Path) -> None:
    made = make(sample_documents.step("s", SampleConfig(max_bytes={"web": 100}), docs=corpus(DOCUMENTS)), tmp_path)
    found = [row["id"] for row in documents_of(made)]
    assert found == [document.id for document in DOCUMENTS if document.id in found], "in their order"
    assert [sum(id_.startswith(s) for id_ in found) for s in ("web", "books")] == [4, 20]
    metrics = made.manifest.metrics
    assert rejects_of(made) == []
    assert (metrics["documents_read"], metrics["documents"], metrics["other_part"]) == (40, 24, 16)
    assert (sample_documents.version, digest_of(made)) == (3, "6f381fd9d05259ea")


def test_the_sample_depends_on_the_seed_not_on_the_order() -> None:
    config = SampleConfig(max_bytes={"web": 100, "books": 1})
    assert choose(DOCUMENTS, config) == choose(DOCUMENTS[::-1], config)
    assert choose(DOCUMENTS, config) != choose(DOCUMENTS, SampleConfig(max_bytes=config.max_bytes, seed=1))


def test_a_source_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"no document of \['pubmed'\]"):
        make(sample_documents.step("s", SampleConfig(max_bytes={"pubmed": 1}), docs=corpus(DOCUMENTS)), tmp_path)
