import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PhimoeConfig,
    PhimoeForCausalLM,
    PreTrainedModel,
)

from regraft.core import RegraftError
from regraft.lm.packed_attention import PACKED
from regraft.lm.threads import torch_threads
from regraft.training.attention import choose_attention
from regraft.training.parallel import Ranks

ALONE = Ranks(0, 1, torch.device("cpu"))
LOG = logging.getLogger(__name__)
SIZES: dict[str, Any] = {
    "vocab_size": 99,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def llama(**more: Any) -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(**SIZES, **more))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


def test_with_more_threads_a_model_keeps_its_own_attention() -> None:
    model = llama()
    own = model.config._attn_implementation
    with torch_threads(2):
        choose_attention(model, "auto", ALONE, LOG)
    assert model.config._attn_implementation == own


def test_a_model_on_a_cpu_attends_packed(caplog: pytest.LogCaptureFixture) -> None:
    model = llama()
    with caplog.at_level(logging.INFO):
        choose_attention(model, "auto", ALONE, LOG)
    assert model.config._attn_implementation == PACKED
    assert "attention packed; no leak" in caplog.text


def test_a_model_with_windows_keeps_its_own_attention(caplog: pytest.LogCaptureFixture) -> None:
    model = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=8))
    own = model.config._attn_implementation
    with caplog.at_level(logging.INFO):
        choose_attention(model, "auto", ALONE, LOG)
    assert model.config._attn_implementation == own
    assert "a window of 8 tokens" in caplog.text


def test_a_model_that_drops_attention_keeps_its_own() -> None:
    model = llama(attention_dropout=0.1)
    own = model.config._attn_implementation
    choose_attention(model, "auto", ALONE, LOG)
    assert model.config._attn_implementation == own
    with pytest.raises(RegraftError, match="asks for dropout, which attention 'packed' has not"):
        choose_attention(model, PACKED, ALONE, LOG)


def test_dropout_is_found_wherever_a_model_keeps_it_and_takes_no_random_numbers() -> None:
    sizes: dict[str, Any] = {"vocab_size": 99, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256}
    model = GPT2LMHeadModel(GPT2Config(**sizes, attn_pdrop=0.1))
    own, state = model.config._attn_implementation, torch.get_rng_state()
    choose_attention(model, "auto", ALONE, LOG)
    assert model.config._attn_implementation == own
    assert torch.equal(torch.get_rng_state(), state)
    without = GPT2LMHeadModel(GPT2Config(**sizes, attn_pdrop=0.0))
    choose_attention(without, "auto", ALONE, LOG)
    assert without.config._attn_implementation == PACKED


def test_a_window_that_only_the_mask_tells_of_is_found(caplog: pytest.LogCaptureFixture) -> None:
    model = PhimoeForCausalLM(PhimoeConfig(**SIZES, num_local_experts=4, sliding_window=256))
    own = model.config._attn_implementation
    with caplog.at_level(logging.INFO):
        choose_attention(model, "auto", ALONE, LOG)
    assert model.config._attn_implementation == own
    assert "a window of 256 tokens" in caplog.text


def test_what_is_asked_for_is_taken_or_refused() -> None:
    model = llama()
    choose_attention(model, "eager", ALONE, LOG)
    assert model.config._attn_implementation == "eager"
    windows = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=8))
    with pytest.raises(RegraftError, match="cannot train with attention 'packed'"):
        choose_attention(windows, PACKED, ALONE, LOG)


def test_the_choice_stays_out_of_what_is_exported(tmp_path: Path) -> None:
    model = llama()
    choose_attention(model, "auto", ALONE, LOG)
    model.save_pretrained(tmp_path)
    assert PACKED not in (tmp_path / "config.json").read_text("utf-8")
