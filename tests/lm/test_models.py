"""What docs/reference/models.md says of each architecture: it trains, or why not."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from regraft.core import ConfigError, RegraftError
from regraft.lm.load import check_sequence_length, context_length, load_model, quiet_transformers
from regraft.lm.logit_scale import logit_scale
from regraft.lm.loss import IGNORED, leak_self_test, sequence_loss

SIZES = {
    "vocab_size": 160,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,  # so large that context matters without any training
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
GPT = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 48}
WINDOW = {"head_dim": 16, "sliding_window": 16}
TRAINS: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": 16},
    "qwen2": {"tie_word_embeddings": True},
    "qwen3": {"head_dim": 16},
    "gemma2": {"final_logit_softcapping": 3.0, "attn_logit_softcapping": 5.0, **WINDOW},
    "gemma3_text": WINDOW,
    "smollm3": {},
    "phi3": {},
    "phi": {},
    "olmo2": {},
    "exaone4": {"sliding_window": 16},
    "glm4": {"head_dim": 16},
    "starcoder2": {"sliding_window": 16},
    "gpt2": GPT,  # learnt positions
    "gpt_neox": {"rotary_pct": 0.25},
    "gptj": {**GPT, "rotary_dim": 8},
    "qwen2_moe": {**EXPERTS, "shared_expert_intermediate_size": 48, "decoder_sparse_step": 1},
    "qwen3_moe": {**EXPERTS, "head_dim": 16},
    "olmoe": {"num_experts": 4, "num_experts_per_tok": 2},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
}
REFUSED: dict[str, dict[str, Any]] = {
    "opt": {"word_embed_proj_dim": 64, "ffn_dim": 96},
    "bloom": {"n_layer": 2, "n_head": 4},
    "falcon": {},
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2, **WINDOW},
    "mamba2": {"head_dim": 16, "num_heads": 8, "n_groups": 1, "state_size": 8},
    "lfm2": {"full_attn_idxs": [1]},
}
SCALED = {
    "granite": ({"logits_scaling": 4.0, "embedding_multiplier": 12.0}, 0.25),
    "cohere": ({"logit_scale": 0.0625}, 0.0625),
    "cohere2": ({"logit_scale": 0.5, **WINDOW}, 0.5),
    "granitemoe": ({"num_local_experts": 4, "num_experts_per_tok": 2, "logits_scaling": 8.0}, 0.125),
    "minicpm3": ({"dim_model_base": 16, "num_key_value_heads": 4}, 0.25),
    "hyperclovax": ({"logits_scaling": 0.5}, 0.5),
}


def random_model(folder: Path, kind: str, fields: dict[str, Any]) -> PreTrainedModel:
    """Return a model with seeded random weights as it is loaded from the folder that it was saved to."""
    given = {**SIZES, **fields}
    if "n_embd" in fields:
        del given["hidden_size"]
    config = AutoConfig.for_model(kind, **given)
    torch.manual_seed(0)
    with quiet_transformers():
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        return load_model(folder)


def random_documents(*lengths: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(1, 160, (n,), generator=generator) for n in lengths]


def plain_loss(model: PreTrainedModel, documents: list[torch.Tensor]) -> float:
    """Return the sum of Transformers' own losses of documents alone."""
    losses = [model(input_ids=d[None], labels=d[None], use_cache=False).loss * (len(d) - 1) for d in documents]
    return float(torch.stack(losses).sum())


@pytest.mark.parametrize("kind", TRAINS)
@torch.no_grad()
def test_packed_documents_have_the_loss_that_transformers_gives_each_alone(kind: str, tmp_path: Path) -> None:
    model = random_model(tmp_path, kind, TRAINS[kind])
    assert leak_self_test(model) < 1e-4
    documents = random_documents(40, 25)
    ids, positions = torch.cat(documents), torch.cat([torch.arange(len(d)) for d in documents])
    labels = torch.cat([F.pad(d[1:], (0, 1), value=IGNORED) for d in documents])
    packed = sequence_loss(model, ids[None], positions[None], labels[None])
    assert float(packed) == pytest.approx(plain_loss(model, documents), rel=1e-5)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_model_whose_documents_see_each_other_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(RegraftError, match="nats a token away from each alone"):
        leak_self_test(random_model(tmp_path, kind, REFUSED[kind]))


@pytest.mark.parametrize("kind", SCALED)
@torch.no_grad()
def test_the_scale_of_logits_is_known(kind: str, tmp_path: Path) -> None:
    fields, scale = SCALED[kind]
    model = random_model(tmp_path, kind, fields)
    ids = random_documents(20)[0][None]
    head: Any = model.get_output_embeddings()
    raw = head(model.base_model(input_ids=ids, use_cache=False).last_hidden_state)
    assert logit_scale(model) == scale
    torch.testing.assert_close(raw * scale, model(input_ids=ids, use_cache=False).logits)


def test_a_scale_that_was_not_tried_is_refused(tiny: PreTrainedModel) -> None:
    assert logit_scale(tiny) == 1
    tiny.config.mup_width_multiplier = 2.0
    with pytest.raises(ConfigError, match=r"LlamaForCausalLM scales its logits by \['mup_width_multiplier'\]"):
        logit_scale(tiny)


@pytest.mark.parametrize("kind", ["gemma2", "qwen2", "gpt2"])
def test_a_tied_head_stays_tied(kind: str, tmp_path: Path) -> None:
    model = random_model(tmp_path, kind, TRAINS[kind])
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    assert head is not None
    assert head.weight is embedding.weight


def test_a_sequence_longer_than_the_context_is_refused(tiny: PreTrainedModel) -> None:
    check_sequence_length(tiny, 512)
    with pytest.raises(ConfigError, match=r"sequence_length is 513, but LlamaForCausalLM was made for 512 tokens"):
        check_sequence_length(tiny, 513)


def test_an_architecture_without_a_limit_has_none(tmp_path: Path) -> None:
    fields = {k: v for k, v in SIZES.items() if k != "max_position_embeddings"}
    config = AutoConfig.for_model("bloom", **fields, n_layer=1, n_head=4)
    check_sequence_length(AutoModelForCausalLM.from_config(config), 10**6)
    assert context_length(AutoModelForCausalLM.from_config(config)) > 10**6
