from pathlib import Path

import pytest

from regraft.core import ArtifactError, ConfigError, Execution, Store, run
from regraft.tracing import trace_lines
from tests.training.conftest import training


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    run([training(tokens=4 * 2 * 64, num_decisions=0)], store, Execution(workers=1))
    return store


def trace(store: Store, target: str = "", step: int = 0, document: str = "") -> str:
    return "\n".join(trace_lines(store, target, step, document))


def test_without_a_target_the_artifacts_are_listed(store: Store) -> None:
    assert len(trace(store).splitlines()) == len(list(store.artifacts())) == 8


def test_an_artifact_leads_to_all_it_was_made_from(store: Store) -> None:
    lines = trace(store, "train").splitlines()
    assert lines[0].startswith("train-")
    assert any(line.strip().startswith("tokens: tokenize-") for line in lines)
    assert sum("make_tiny-" in line for line in lines) == 1


def test_a_step_leads_to_documents_and_a_document_to_steps(store: Store) -> None:
    seen = trace(store, "train", 2)
    document = next(word for word in seen.split() if word.startswith(("train-en", "train-zh")))
    back = trace(store, document)
    assert "  step 2  " in back
    assert "kept in write_texts-" in back
    only = trace(store, "train", document=document)
    assert only in back
    assert "kept in" not in only
    assert trace(store, "train", document="held-zh-0") == "no step saw held-zh-0"


def test_a_held_out_document_was_seen_by_no_step(store: Store) -> None:
    assert "no training step saw it" in trace(store, "held-zh-0")


def test_a_figure_leads_to_its_artifacts(store: Store) -> None:
    reports = store.root / "reports"
    reports.mkdir()
    name = store.resolve("train").id
    (reports / "x.figures.json").write_text(f'{{"F1": {{"title": "Loss", "artifacts": ["{name}"]}}}}')
    lines = trace(store, "F1").splitlines()
    assert lines[0] == "F1: Loss  (x.figures.json)"
    assert lines[1].startswith(name)


def test_what_cannot_be_traced_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="'nothing' is no figure, artifact, step or document"):
        trace(store, "nothing")
    with pytest.raises(ConfigError, match="was not trained"):
        trace(store, "corpus/train", 2)
    with pytest.raises(ConfigError, match="has the steps 1 to 4, not 9"):
        trace(store, "train", 9)
    with pytest.raises(ConfigError, match="not both"):
        trace(store, "train", 1, "train-en-0")
    with pytest.raises(ArtifactError, match="holds no artifacts"):
        trace(Store(tmp_path))


def test_a_dropped_document_leads_to_its_reason(tmp_path: Path) -> None:
    from regraft.core import RawFiles
    from regraft.corpus.ingest import IngestConfig, JsonLines, ingest

    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"tex')
    files = RawFiles(root=str(tmp_path / "a.jsonl"))
    store = Store(tmp_path / "store")
    run([ingest.step("raw", IngestConfig(source="mine", reader=JsonLines(), files=files))], store)
    line = trace(store, "a.jsonl:2").splitlines()[0]
    assert line.startswith("dropped by ingest-")
    assert "(raw): broken_json, " in line
