import logging
from dataclasses import replace
from pathlib import Path

import pytest

from regraft.core import ConfigError, Execution, Store, run
from regraft.corpus import tables
from regraft.corpus.tokens import TokenizeConfig, tokenize
from regraft.lm.tiny import SAMPLE_TEXTS, TinyConfig, make_tiny
from regraft.mixture.shares import Group, Mixture, Source
from regraft.training.compatibility import check_compatible
from regraft.training.history import (
    WHOLE,
    consumed_tokens,
    documents_of_step,
    passed_over,
    steps_of_document,
    trainings,
)
from regraft.training.train import train
from regraft.training.vocabulary import VocabularyConfig, extend_vocabulary
from tests.training.conftest import TextsConfig, training, write_texts


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two trainings of four steps each, one after the other."""
    first = training(tokens=4 * 2 * 64, num_decisions=0)
    inputs = {role: steps[0] for role, steps in first.inputs.items()}
    second = train.step("second", first.config, **{**inputs, "model": first})
    store = Store(tmp_path_factory.mktemp("store"))
    run([second], store, Execution(workers=1))
    return store


def test_steps_and_documents_lead_to_each_other(store: Store) -> None:
    artifact = store.resolve("train")
    rows = tables.read(artifact.file(tables.SERVED_FILE), tables.SERVED).to_pylist()
    for step in range(1, 5):
        seen = documents_of_step(artifact, step)
        assert [(s.sequence, s.id, s.start) for s in seen] == [
            (r["sequence"], r["id"], r["start"]) for r in rows if r["step"] == step
        ]
    for id_ in {row["id"] for row in rows}:
        assert [s.step for s in steps_of_document(artifact, id_)] == [r["step"] for r in rows if r["id"] == id_]
    assert steps_of_document(artifact, "nobody") == passed_over(artifact, "nobody") == []
    with pytest.raises(ConfigError, match="has the steps 1 to 4, not 5"):
        documents_of_step(artifact, 5)


def test_what_was_consumed_is_the_furthest_of_all_trainings(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    expected: dict[str, int] = {}
    for name in ("train", "second"):
        for row in tables.read(store.resolve(name).file(tables.SERVED_FILE), tables.SERVED).to_pylist():
            expected[row["id"]] = max(row["stop"], expected.get(row["id"], 0))
    monkeypatch.setattr("regraft.training.history.STRETCH", 3)
    assert consumed_tokens(store.resolve("second")) == expected
    assert consumed_tokens(store.resolve("backbone")) == {}
    assert [a.manifest.step for a in trainings(store.resolve("second"))] == ["train", "second"]


def test_after_an_extension_of_the_vocabulary_what_was_begun_is_consumed_whole(store: Store) -> None:
    """The first training counted tokens of a tokenizer that is no more; the one after it counts those of today."""
    first = training(tokens=4 * 2 * 64, num_decisions=0)
    corpus, held_out = (first.inputs[role][0].inputs["docs"][0] for role in ("tokens", "held_out"))
    config = VocabularyConfig(languages=("zh",), num_tokens=12, min_count=2)
    extended = extend_vocabulary.step("extended", config, model=first, docs=corpus)
    again = train.step(
        "again",
        first.config,
        model=extended,
        tokens=tokenize.step("tokens/extended", TokenizeConfig(), docs=corpus, model=extended),
        held_out=tokenize.step("tokens/held-out-extended", TokenizeConfig(), docs=held_out, model=extended),
    )
    run([again], store, Execution(workers=1))
    begun, since = (
        set(tables.read(store.resolve(name).file(tables.SERVED_FILE), tables.SERVED)["id"].to_pylist())
        for name in ("train", "again")
    )
    assert consumed_tokens(store.resolve("extended")) == dict.fromkeys(begun, WHOLE)
    assert since
    assert not since & begun
    assert store.resolve("again").manifest.metrics["left_out_documents"] == len(begun)
    now = consumed_tokens(store.resolve("again"))
    assert {id_ for id_, tokens in now.items() if tokens == WHOLE} == begun
    assert now.keys() == begun | since


def test_tokens_of_the_model_are_compatible(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    tokens = [store.resolve("tokens/train"), store.resolve("tokens/held-out")]
    check_compatible(tokens, store.resolve("second"), logging.getLogger())
    assert not caplog.records


def test_another_tokenizer_another_policy_and_a_changed_policy_are_told(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    corpus, model = write_texts.step("corpus", TextsConfig(count=2)), make_tiny.step("backbone", TinyConfig())
    other = make_tiny.step("other", TinyConfig(texts=(SAMPLE_TEXTS[0],)))
    config = TokenizeConfig()
    run(
        [
            tokenize.step("foreign", config, docs=corpus, model=other),
            tokenize.step("endless", replace(config, end_token=""), docs=corpus, model=model),
        ],
        store,
        Execution(workers=1),
    )
    mine, foreign, endless = (store.resolve(name) for name in ("tokens/train", "foreign", "endless"))
    with pytest.raises(ConfigError, match=f"{foreign.id} holds another tokenizer's tokens"):
        check_compatible([mine, foreign], store.resolve("backbone"), logging.getLogger())
    with pytest.raises(ConfigError, match=f"{endless.id}: begin 0, end None"):
        check_compatible([mine, endless], store.resolve("backbone"), logging.getLogger())
    assert not caplog.records
    check_compatible([endless], store.resolve("train"), logging.getLogger())
    assert f"(0, None) now, and did with (0, 0) in {mine.id}" in caplog.text


def test_what_was_served_again_from_its_start_stays_consumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {
        "zh": Source(name="web-zh", share=1.0, max_epochs=4),
        "en": Source(name="web-en", share=1.0, max_epochs=4),
    }
    groups = tuple(Group(name=name, share=0.5, sources=(source,)) for name, source in sources.items())
    again = training(count=4, tokens=8 * 2 * 64, num_decisions=0, mixture=Mixture(groups=groups))
    store = Store(tmp_path)
    run([again], store, Execution(workers=1))
    rows = tables.read(store.resolve("train").file(tables.SERVED_FILE), tables.SERVED).to_pylist()
    last, most = {r["id"]: r["stop"] for r in rows}, {r["id"]: 0 for r in rows}
    for row in rows:
        most[row["id"]] = max(most[row["id"]], row["stop"])
    assert last != most
    monkeypatch.setattr("regraft.training.history.STRETCH", 3)
    assert consumed_tokens(store.resolve("train")) == most
