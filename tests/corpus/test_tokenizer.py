import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from regraft.core import ConfigError, Store
from regraft.corpus.tokenizer import check_ends, check_tokenizer, tokenizer_sha256
from regraft.corpus.tokens import TokenForm, TokenizeConfig
from regraft.lm.tiny import tiny_model_folder
from tests.corpus.given import make
from tests.corpus.test_tokens import step


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[TokenForm, Path]:
    """Tokens, and the model whose tokens they are."""
    root = tmp_path_factory.mktemp("made")
    tokens = make(step(TokenizeConfig()), root)
    model = next(a for a in Store(root / "store").artifacts() if a.manifest.step == "model")
    return TokenForm.read(tokens.path), model.file("model")


def edited(folder: Path, name: str, target: Path, **fields: Any) -> Path:
    target.mkdir(exist_ok=True)
    for file in ("config.json", "tokenizer.json"):
        content = json.loads((folder / file).read_text("utf-8"))
        (target / file).write_text(json.dumps(content | (fields if file == name else {}), indent=3), "utf-8")
    return target


def test_tokens_know_their_tokenizer(made: tuple[TokenForm, Path]) -> None:
    form, model = made
    assert form.tokenizer_sha256 == tokenizer_sha256(model / "tokenizer.json")
    check_tokenizer(form, model)


def test_form_padding_and_template_of_a_tokenizer_do_not_count(made: tuple[TokenForm, Path], tmp_path: Path) -> None:
    form, model = made
    check_tokenizer(form, edited(model, "tokenizer.json", tmp_path, padding={"pad_id": 3}, post_processor=None))


def test_another_tokenizers_tokens_are_refused(made: tuple[TokenForm, Path], tmp_path: Path) -> None:
    other = tiny_model_folder(tmp_path / "other", ["a text of another kind, from which other pairs are merged"] * 2)
    with pytest.raises(ConfigError, match=r"tokens/train holds another tokenizer's tokens: [0-9a-f]{12}, but"):
        check_tokenizer(made[0], other, "tokens/train")


def test_an_added_token_makes_another_tokenizer(made: tuple[TokenForm, Path], tmp_path: Path) -> None:
    added = json.loads((made[1] / "tokenizer.json").read_text("utf-8"))["added_tokens"]
    more = [*added, {**added[0], "id": 500, "content": "<new>"}]
    with pytest.raises(ConfigError, match="another tokenizer's tokens"):
        check_tokenizer(made[0], edited(made[1], "tokenizer.json", tmp_path, added_tokens=more))


def test_embeddings_may_be_padded_but_must_not_be_too_few(made: tuple[TokenForm, Path], tmp_path: Path) -> None:
    form, model = made
    check_tokenizer(form, edited(model, "config.json", tmp_path, vocab_size=form.largest_token + 1))
    check_tokenizer(form, edited(model, "config.json", tmp_path, vocab_size=100_000))
    with pytest.raises(ConfigError, match=f"holds the token {form.largest_token}, but .* embeddings for 0 to"):
        check_tokenizer(form, edited(model, "config.json", tmp_path, vocab_size=form.largest_token))


def test_documents_of_one_training_begin_and_end_alike(made: tuple[TokenForm, Path]) -> None:
    form = made[0]
    check_ends([("a", form), ("b", form)])
    with pytest.raises(ConfigError, match=r"different tokens \(a: begin 0, end 0; b: begin None, end 0\)"):
        check_ends([("a", form), ("b", replace(form, begin=None))])
