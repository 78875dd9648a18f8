import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from regraft.core import ConfigError, Execution, Silent, Step, StepFailed, Store, run
from regraft.corpus import tables
from regraft.corpus.document import Document
from regraft.lm.load import load_model, load_tokenizer
from regraft.lm.loss import document_losses
from regraft.lm.tiny import TinyConfig, make_tiny, tiny_model_folder
from regraft.mixture.difficulty import DifficultyConfig, score_difficulty
from regraft.mixture.prefixes import prefix_of
from tests.corpus.given import corpus as given_corpus
from tests.mixture.conftest import DEBIAN, NETWORK, annotation, corpus, make

DOCS = (("zh", DEBIAN), ("en", NETWORK), ("zh", ""), ("zh", DEBIAN * 20), ("", "?"))
TINY = make_tiny.step("tiny", TinyConfig())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    torch.set_num_threads(1)
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def tokenizer(folder: Path):
    return load_tokenizer(folder)


def step(languages: tuple[str, ...] = ("zh",), batch_tokens: int = 4096) -> Step[DifficultyConfig]:
    config = DifficultyConfig(languages=languages, batch_tokens=batch_tokens, max_tokens=200)
    return score_difficulty.step("difficulty", config, docs=corpus(*DOCS), model=TINY)


def test_only_the_languages_named_are_scored_and_rows_stay_aligned(
    tmp_path: Path, folder: Path, tokenizer: Tokenizer
) -> None:
    artifact = make(step(), tmp_path)
    rows = annotation(artifact, tables.LOSSES)
    assert [row["id"] for row in rows] == ["d0", "d1", "d2", "d3", "d4"]
    assert [row["tokens"] > 0 for row in rows] == [True, False, False, True, False]
    assert [row["bytes"] > 0 for row in rows] == [True, False, False, True, False]
    ids = [0, *tokenizer.encode(DEBIAN).ids]
    assert rows[0]["loss"] == pytest.approx(document_losses(load_model(folder), [ids])[0], rel=1e-4)
    assert (rows[0]["tokens"], rows[0]["bytes"]) == (len(ids) - 1, len(DEBIAN.encode()))
    assert rows[3]["tokens"] == 200
    metrics = artifact.manifest.metrics
    assert (metrics["documents"], metrics["scored_documents"]) == (5, 3)
    assert metrics["scored_tokens"] == sum(row["tokens"] for row in rows)
    assert [rows[0]["loss"], rows[3]["loss"]] == pytest.approx([503.4500, 1307.3454], abs=1e-2)


class Killed(BaseException):
    """Stops a run as a kill does: nothing catches it."""


class KillAfterOneBatch(Silent):
    """Progress whose first tick ends the run."""

    def advance(self, amount: float = 1, note: str = "") -> None:
        raise Killed


def test_the_same_scores_come_out_after_a_crash(tmp_path: Path) -> None:
    whole = make(step(batch_tokens=100), tmp_path / "whole")
    store = Store(tmp_path / "cut" / "store")
    with pytest.raises(Killed):
        run([step(batch_tokens=100)], store, Execution(cache=tmp_path), KillAfterOneBatch())
    assert [len(path.read_text().splitlines()) for path in store.root.glob(".scratch/*/*.jsonl")] == [1]
    again = make(step(batch_tokens=100), tmp_path / "cut")
    assert again.manifest.content_digest == whole.manifest.content_digest


def test_a_language_without_documents_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"No document is in \('fr',\); the corpus has \['', 'en', 'zh'\]"):
        make(step(languages=("fr",)), tmp_path)


@given(text=st.text(max_size=60), max_tokens=st.integers(1, 40))
def test_the_bytes_of_a_prefix_are_those_of_its_tokens(tokenizer: Tokenizer, text: str, max_tokens: int) -> None:
    prefix = prefix_of(text, tokenizer, "<|endoftext|>", max_tokens)
    whole = tokenizer.encode(text).ids
    assert prefix.ids == [0, *whole[:max_tokens]]
    if len(whole) <= max_tokens:
        assert prefix.num_bytes == len(text.encode())
    else:
        assert len(tokenizer.decode(prefix.ids).rstrip("\ufffd").encode()) <= prefix.num_bytes <= len(text.encode())


def test_without_a_begin_token_the_first_token_is_not_scored(tokenizer: Tokenizer) -> None:
    prefix = prefix_of(NETWORK, tokenizer, "", 1000)
    first = tokenizer.decode(prefix.ids[:1])
    assert prefix.num_scored == len(tokenizer.encode(NETWORK).ids) - 1
    assert prefix.num_bytes == len(NETWORK.encode()) - len(first.encode())


@pytest.mark.parametrize("fields", [{"languages": ()}, {"languages": ("zh",), "max_tokens": -1}])
def test_settings_that_score_nothing_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        DifficultyConfig(**fields)


def test_without_a_limit_the_document_is_scored_whole(tokenizer: Tokenizer) -> None:
    text = DEBIAN * 30
    prefix = prefix_of(text, tokenizer, "<|endoftext|>", 0)
    assert prefix.ids == [0, *tokenizer.encode(text).ids]
    assert prefix.num_bytes == len(text.encode())


def test_the_speed_is_kept_apart_from_what_is_found(tmp_path: Path) -> None:
    artifact = make(step(), tmp_path)
    speed = json.loads(artifact.file("timing/scoring.json").read_text("utf-8"))
    assert speed["tokens"] == artifact.manifest.metrics["scored_tokens"]
    assert not any("second" in name for name in artifact.manifest.metrics)


def test_shards_are_scored_one_after_the_other_and_nothing_else_changes(tmp_path: Path) -> None:
    documents = [Document(id=f"d{i}", text=text, source="s", language=code) for i, (code, text) in enumerate(DOCS * 3)]
    config = DifficultyConfig(languages=("zh",), max_tokens=200)
    one, many = (
        score_difficulty.step("difficulty", config, docs=given_corpus(documents, per_shard=n), model=TINY)
        for n in (100, 4)
    )
    store = Store(tmp_path / "many" / "store")
    with pytest.raises(Killed):
        run([many], store, Execution(cache=tmp_path), KillAfterOneBatch())
    assert [path.name for path in store.root.glob(".scratch/*/*.jsonl")] == ["00000.jsonl"]
    found = [annotation(make(step, tmp_path / name), tables.LOSSES) for step, name in ((one, "one"), (many, "many"))]
    assert [row["id"] for row in found[1]] == [document.id for document in documents]
    for whole, cut in zip(*found, strict=True):
        assert (whole["tokens"], whole["bytes"]) == (cut["tokens"], cut["bytes"])
        assert whole["loss"] == pytest.approx(cut["loss"], rel=1e-4)


def test_of_a_long_text_no_more_is_tokenized_than_is_needed(tokenizer: Tokenizer) -> None:
    read: list[int] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        def encode(self, text: str, **settings: Any) -> Any:
            read.append(len(text))
            return tokenizer.encode(text, **settings)

    wide = (DEBIAN + " " * 9000) * 30
    for text, most in ((DEBIAN * 3000, 20_000), (wide, len(wide))):
        read.clear()
        prefix = prefix_of(text, Counting(), "<|endoftext|>", 200)  # pyright: ignore[reportArgumentType]
        assert prefix.ids == [0, *tokenizer.encode(text).ids[:200]]
        assert max(read) <= most
