import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from regraft import recipes
from regraft.core import (
    Artifact,
    ConfigError,
    Context,
    Execution,
    Kind,
    Metrics,
    RawFiles,
    Step,
    StepFailed,
    Store,
    run,
    stage,
)
from regraft.corpus import tables
from regraft.corpus.tokens import TokenizeConfig, TokenStore, tokenize
from regraft.lm.backbone import BackboneConfig, import_backbone
from regraft.lm.load import load_model, load_tokenizer
from regraft.lm.loss import CausalLoss, document_losses, leak_self_test
from regraft.lm.tiny import SAMPLE_TEXTS, TinyConfig, make_tiny
from regraft.training.optimizer import AdamW, build_optimizer, take_step
from regraft.training.trainable import Only
from regraft.training.vocabulary import VocabularyConfig, extend_vocabulary

ENGLISH, CHINESE = SAMPLE_TEXTS
SETTINGS: dict[str, Any] = {"languages": ("zh",), "num_tokens": 60, "min_count": 2}
QUOTED = "She said “園丁 cut 嫁接” and went on."
"""English that some of the new tokens would split in another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    texts: tuple[tuple[str, str], ...]


@stage(version=1, makes=Kind.CORPUS)
def given(config: Given, ctx: Context) -> Metrics:
    columns = {"source": "web", "parents": [], "meta": "{}"}
    rows = [{"id": str(i), "text": text, "language": lang, **columns} for i, (lang, text) in enumerate(config.texts)]
    tables.write(ctx.out / "documents/00000.parquet", tables.table_of(rows, tables.DOCUMENTS), tables.DOCUMENTS)
    tables.write(ctx.out / "rejects/00000.parquet", tables.table_of([], tables.REJECTS), tables.REJECTS)
    return {"documents": len(rows)}


BOTH = (("zh", CHINESE), ("en", ENGLISH), ("zh", CHINESE[:40]), ("en", QUOTED))


def extended(texts: Sequence[tuple[str, str]] = BOTH, **changes: Any) -> Step[VocabularyConfig]:
    model = make_tiny.step(
        "tiny", TinyConfig(texts=(ENGLISH,), vocab_size=360, num_layers=1, hidden_size=32, num_heads=2)
    )
    docs = given.step("docs", Given(texts=tuple(texts)))
    return extend_vocabulary.step("extended", VocabularyConfig(**(SETTINGS | changes)), model=model, docs=docs)


def make(step: Step[Any], root: Path) -> Artifact:
    store = Store(root / "store")
    return store.resolve(run([step], store, Execution()).steps[step.name])


def test_the_new_language_takes_fewer_tokens_and_the_old_one_is_split_as_before(tmp_path: Path) -> None:
    step = extended()
    artifact, origin = make(step, tmp_path), make(step.inputs["model"][0], tmp_path)
    new, old = load_tokenizer(artifact.file("model")), load_tokenizer(origin.file("model"))
    for text in (ENGLISH, QUOTED):
        assert new.encode(text, add_special_tokens=False).ids == old.encode(text, add_special_tokens=False).ids
    found = artifact.manifest.metrics
    num_new, num_old = (len(t.encode(CHINESE, add_special_tokens=False).ids) for t in (new, old))
    assert num_new < num_old
    assert found["changed_documents.en"] == 0
    assert found["changed_documents.zh"] == found["documents.zh"] == 2
    assert found["bytes_per_token_before.en"] == found["bytes_per_token_after.en"]
    assert found["bytes_per_token_after.zh"] > found["bytes_per_token_before.zh"]
    assert 0 < found["tokens_added"] <= 60
    assert found["vocabulary"] == old.get_vocab_size() + found["tokens_added"] == new.get_vocab_size()


def test_tokens_that_change_other_languages_are_dropped(tmp_path: Path) -> None:
    with_other = make(extended(), tmp_path / "both").manifest.metrics
    without_other = make(extended(BOTH[::2]), tmp_path / "one").manifest.metrics
    assert with_other["tokens_added"] < without_other["tokens_added"]
    assert "documents.en" not in without_other


def test_the_model_reloads_scores_and_learns_the_new_tokens(tmp_path: Path) -> None:
    step = extended()
    tokens = tokenize.step("tokens", TokenizeConfig(), docs=step.inputs["docs"], model=step)
    store, artifact = TokenStore.open(make(tokens, tmp_path).path), make(step, tmp_path)
    model = load_model(artifact.file("model"))
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert store.vocab_size <= artifact.manifest.metrics["rows"] == len(model.get_input_embeddings().weight)
    assert leak_self_test(model) < 1e-3
    documents = [store.document(row).tolist() for row in range(len(store))]
    first_new = artifact.manifest.metrics["vocabulary"] - artifact.manifest.metrics["tokens_added"]
    assert max(max(document) for document in documents) >= first_new
    before = document_losses(model, documents)
    assert all(map(math.isfinite, before))
    warm_up(model, documents)
    assert sum(document_losses(model, documents)) < sum(before)


def warm_up(model: Any, documents: list[list[int]]) -> None:
    """Train the embeddings only, as one would before all of the model."""
    Only(patterns=("*embed_tokens*", "*lm_head*")).prepare(model)
    objective, optimizer = CausalLoss(model), build_optimizer(AdamW(), model)
    for document in documents * 2:
        ids = torch.tensor([document])
        objective(ids[:, :-1], torch.arange(ids.shape[1] - 1)[None], ids[:, 1:]).backward()
        take_step(optimizer, 1e-3)
        optimizer.zero_grad()


def test_tokens_come_from_the_first_documents_of_each_language(tmp_path: Path) -> None:
    texts = (("zh", CHINESE), ("zh", "别的" * 50), ("en", ENGLISH))
    found = make(extended(texts, bytes_per_language=len(CHINESE.encode())), tmp_path)
    assert found.manifest.metrics["documents.zh"] == 1
    assert len(load_tokenizer(found.file("model")).encode("别的别的", add_special_tokens=False).ids) > 4


def test_a_language_that_is_not_there_and_text_without_pairs_are_errors(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"no text in \['fr'\]; they hold \['en', 'zh'\]"):
        make(extended(languages=("fr",)), tmp_path)
    with pytest.raises(StepFailed, match="No token could be learnt"):
        make(extended(min_count=10_000), tmp_path)


@pytest.mark.parametrize("wrong", [{"languages": ()}, {"num_tokens": 0}, {"min_count": 1}, {"max_pieces": 1}])
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        VocabularyConfig(**({"languages": ("zh",)} | wrong))


def test_golden(tmp_path: Path) -> None:
    """The last tokens that are added; others need another version of the stage."""
    form = json.loads(make(extended(num_tokens=12), tmp_path).file("model/tokenizer.json").read_text("utf-8"))
    assert form["model"]["merges"][-4:] == [["ç", "ļ"], ["è", "Ģ"], ["Ĭ", "Ĭ"], ["Ŀ", "æ"]]
    assert list(form["model"]["vocab"])[-4:] == ["çļ", "èĢ", "ĬĬ", "Ŀæ"]


@pytest.mark.slow
@pytest.mark.skipif("REGRAFT_TEST_MODEL" not in os.environ, reason="REGRAFT_TEST_MODEL names no model folder")
def test_a_real_model_gets_chinese_tokens(tmp_path: Path) -> None:
    folder = Path(os.environ["REGRAFT_TEST_MODEL"])
    model = import_backbone.step("base", BackboneConfig(folder=RawFiles(root=str(folder))))
    pages = Path(recipes.__file__).parent / "samples" / "debian"
    texts = [
        (lang, page.read_text("utf-8")) for lang in ("zh", "en") for page in sorted(pages.glob(f"{lang}/**/*.html"))
    ]
    docs = given.step("docs", Given(texts=tuple(texts)))
    config = VocabularyConfig(languages=("zh",), num_tokens=1000, bytes_per_language=400_000)
    artifact = make(extend_vocabulary.step("extended", config, model=model, docs=docs), tmp_path)
    found, tokenizer = artifact.manifest.metrics, load_tokenizer(artifact.file("model"))
    assert found["bytes_per_token_after.zh"] > 1.2 * found["bytes_per_token_before.zh"]
    assert found["bytes_per_token_after.en"] == found["bytes_per_token_before.en"]
    for _, text in texts:
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids, skip_special_tokens=False) == text
    extended_model = load_model(artifact.file("model"))
    document = [0, *tokenizer.encode(CHINESE, add_special_tokens=False).ids]
    assert max(document) >= found["vocabulary"] - found["tokens_added"]
    assert 0 < document_losses(extended_model, [document])[0] / len(document) < 15
