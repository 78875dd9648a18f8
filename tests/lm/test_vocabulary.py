import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from regraft.core import ConfigError
from regraft.lm.embeddings import add_rows
from regraft.lm.load import load_model, load_tokenizer
from regraft.lm.tiny import SAMPLE_TEXTS, TinyConfig, write_tiny
from regraft.lm.vocabulary import (
    NewToken,
    check_byte_level,
    encoded,
    extend,
    learn_tokens,
    opened,
    unlike_before,
    without,
)

ENGLISH, CHINESE = SAMPLE_TEXTS
TEXTS = st.one_of(
    st.text(),
    st.text(alphabet=sorted(set(CHINESE + ENGLISH))),
    st.lists(st.sampled_from(CHINESE.split("，"))).map("".join),
)


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose tokenizer learnt from English alone; its embeddings have 512 rows, of which it uses fewer."""
    folder = tmp_path_factory.mktemp("english") / "model"
    write_tiny(folder, TinyConfig(texts=(ENGLISH,), hidden_size=16, num_heads=2))
    return folder


@pytest.fixture(scope="module")
def old(english: Path) -> Tokenizer:
    return load_tokenizer(english)


@pytest.fixture(scope="module")
def new(old: Tokenizer) -> list[NewToken]:
    return learn_tokens(old, [CHINESE] * 3, num_tokens=60, min_count=2, max_pieces=8)


@pytest.fixture(scope="module")
def extension(english: Path, new: list[NewToken]) -> tuple[Tokenizer, dict[int, tuple[int, ...]]]:
    form, pieces = extend(english, new)
    return opened(form), pieces


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return next(encoded(tokenizer, [text]))


def test_new_tokens_are_as_many_as_asked_and_no_longer_than_allowed(new: list[NewToken]) -> None:
    assert len(new) == 60
    assert max(len(token.pieces) for token in new) <= 8


@given(text=TEXTS)
def test_a_new_token_is_a_row_of_old_ones_in_every_text(
    old: Tokenizer, extension: tuple[Tokenizer, dict[int, tuple[int, ...]]], text: str
) -> None:
    tokenizer, pieces = extension
    found = ids(tokenizer, text)
    assert [piece for token in found for piece in pieces.get(token, (token,))] == ids(old, text)
    assert tokenizer.decode(found, skip_special_tokens=False) == text


def test_learnt_text_takes_fewer_tokens_and_other_text_as_many(
    old: Tokenizer, extension: tuple[Tokenizer, dict[int, tuple[int, ...]]]
) -> None:
    tokenizer, _ = extension
    assert len(ids(tokenizer, CHINESE)) < 0.6 * len(ids(old, CHINESE))
    assert ids(tokenizer, ENGLISH) == ids(old, ENGLISH)


def test_the_same_text_gives_the_same_tokens(old: Tokenizer, new: list[NewToken]) -> None:
    assert learn_tokens(old, [CHINESE] * 3, num_tokens=60, min_count=2, max_pieces=8) == new


def test_rare_pairs_become_no_tokens(old: Tokenizer) -> None:
    assert not learn_tokens(old, [CHINESE], num_tokens=60, min_count=50, max_pieces=8)


def test_tokens_that_other_text_would_use_are_found_and_dropped_with_what_is_built_on_them(
    english: Path, old: Tokenizer, new: list[NewToken]
) -> None:
    other = "幼枝"
    form, pieces = extend(english, new)
    found = unlike_before(form, pieces, [other, ENGLISH])
    assert found
    kept = without(new, found)
    assert all(not found & {token.pieces, token.left, token.right} for token in kept)
    while dropped := unlike_before(*extend(english, kept), [other]):
        kept = without(kept, dropped)
    form, _ = extend(english, kept)
    assert ids(opened(form), other) == ids(old, other)
    assert 0 < len(kept) < len(new)


def test_without_drops_what_is_built_on_the_dropped() -> None:
    tokens = [NewToken((1,), (2,)), NewToken((1, 2), (3,)), NewToken((5,), (6,)), NewToken((5, 6), (1, 2, 3))]
    assert without(tokens, {(1, 2)}) == [NewToken((5,), (6,))]


def test_added_tokens_keep_their_ids_and_new_ones_come_behind_them(
    english: Path, new: list[NewToken], tmp_path: Path
) -> None:
    folder = shutil.copytree(english, tmp_path / "model")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens([AddedToken("<|start|>", special=True), AddedToken("<|stop|>", special=True)])
    tokenizer.save(str(folder / "tokenizer.json"))
    last = tokenizer.token_to_id("<|stop|>")
    assert last == load_tokenizer(english).get_vocab_size() + 1
    form, pieces = extend(folder, new)
    assert opened(form).token_to_id("<|stop|>") == last
    assert sorted(pieces) == list(range(last + 1, last + 1 + len(pieces)))
    assert ids(opened(form), "<|stop|>") == ids(load_tokenizer(folder), "<|stop|>")


def test_a_token_whose_bytes_are_known_is_left_out(english: Path, old: Tokenizer) -> None:
    known = old.encode("graft", add_special_tokens=False).ids
    whole = next(token for token in range(257, old.get_vocab_size()) if len(old.id_to_token(token) or "") == 2)
    parts = tuple(old.token_to_id(letter) for letter in old.id_to_token(whole) or "")
    again = NewToken(parts[:1], parts[1:])  # bytes of `whole`
    form, pieces = extend(english, [again, NewToken(again.pieces, (5,)), NewToken((200,), (201,))])
    assert list(pieces.values()) == [(200, 201)]
    assert opened(form).encode("graft", add_special_tokens=False).ids == known


def test_only_byte_level_bpe_can_be_extended(english: Path, tmp_path: Path) -> None:
    check_byte_level(english)
    folder = shutil.copytree(english, tmp_path / "model")
    form = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    form["pre_tokenizer"] = {"type": "Whitespace"}
    (folder / "tokenizer.json").write_text(json.dumps(form), "utf-8")
    with pytest.raises(ConfigError, match="no byte-level BPE"):
        check_byte_level(folder)


def test_rows_that_pad_the_embedding_are_used_and_a_tied_head_stays_tied(english: Path) -> None:
    model, before = load_model(english), load_model(english).get_input_embeddings().weight
    assert add_rows(model, {400: (1, 2, 3), 401: (4, 5)}) == 512
    after = model.get_input_embeddings().weight
    torch.testing.assert_close(after[400], before[[1, 2, 3]].mean(0))
    torch.testing.assert_close(after[401], before[[4, 5]].mean(0))
    assert torch.equal(after[:400], before[:400])
    assert model.get_output_embeddings().weight is after


@pytest.mark.parametrize("tied", [True, False])
def test_rows_are_added_where_there_are_none(tied: bool) -> None:
    config: Any = LlamaConfig(
        vocab_size=20,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=tied,
    )
    model = LlamaForCausalLM(config)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    assert add_rows(model, {20: (3, 4), 21: (5, 6, 7)}) == 22
    assert model.config.vocab_size == 22
    for name in ("model.embed_tokens.weight", *(() if tied else ("lm_head.weight",))):
        after = model.get_parameter(name)
        assert torch.equal(after[:20], before[name])
        torch.testing.assert_close(after[20:], torch.stack([before[name][3:5].mean(0), before[name][5:8].mean(0)]))
    assert (model.lm_head.weight is model.model.embed_tokens.weight) == tied


def test_transformers_reads_the_extended_tokenizer_as_we_do(english: Path, new: list[NewToken], tmp_path: Path) -> None:
    folder = shutil.copytree(english, tmp_path / "model")
    form, _ = extend(english, new)
    (folder / "tokenizer.json").write_text(json.dumps(form), "utf-8")
    theirs = AutoTokenizer.from_pretrained(folder)
    assert theirs(CHINESE, add_special_tokens=False)["input_ids"] == ids(load_tokenizer(folder), CHINESE)
