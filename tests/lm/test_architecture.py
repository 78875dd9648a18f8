import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    AutoModelForCausalLM,
    FalconConfig,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MixtralConfig,
    Phi3Config,
    Qwen3Config,
)

from regraft.core import ConfigError, RegraftError
from regraft.lm.architecture import architecture_of, decoder_layers, read_architecture
from regraft.lm.load import quiet_transformers

B, S = 2, 64
SIZES = {"vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
MLP = {"intermediate_size": 192}
GROUPED = {**SIZES, **MLP, "num_key_value_heads": 2}
CONFIGS = {
    "llama": LlamaConfig(**GROUPED),
    "tied": LlamaConfig(**GROUPED, tie_word_embeddings=True),
    "wide heads": Qwen3Config(**GROUPED, head_dim=32),
    "gemma": Gemma2Config(**GROUPED, head_dim=16),
    "fused matrices": Phi3Config(**GROUPED, pad_token_id=0, eos_token_id=1),
    "plain MLP": GPTNeoXConfig(**SIZES, **MLP),
    "one key head": FalconConfig(**SIZES),
    "learned positions": GPT2Config(vocab_size=512, n_embd=64, n_layer=3, n_head=4, bos_token_id=0, eos_token_id=0),
}


def build(config):
    with quiet_transformers():
        return AutoModelForCausalLM.from_config(config, attn_implementation="eager")


@pytest.mark.parametrize("name", CONFIGS)
def test_operations_are_those_that_torch_counts(name):
    model = build(CONFIGS[name])
    architecture = architecture_of(model)
    ids = torch.randint(10, (B, S), generator=torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as forward:
        logits = model(input_ids=ids, use_cache=False).logits
    with FlopCounterMode(display=False) as backward:
        logits.float().sum().backward()
    # norms, biases and rotations are no matrix products: 2 % of models as small as these
    assert forward.get_total_flops() == pytest.approx(B * S * architecture.forward_flops(S), rel=0.02)
    assert backward.get_total_flops() == pytest.approx(B * S * architecture.backward_flops(S), rel=0.02)


def test_frozen_weights_save_the_products_with_them():
    model = build(CONFIGS["llama"])
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("embed_tokens" in name)
    architecture = architecture_of(model, lambda name: "embed_tokens" in name)
    assert architecture.trainable_parameters == 512 * 64
    logits = model(input_ids=torch.zeros(B, S, dtype=torch.long), use_cache=False).logits
    with FlopCounterMode(display=False) as backward:
        logits.float().sum().backward()
    assert backward.get_total_flops() == pytest.approx(B * S * architecture.backward_flops(S), rel=0.02)


def test_only_experts_that_a_token_is_routed_to_are_active():
    model = build(MixtralConfig(**GROUPED, num_local_experts=4, num_experts_per_tok=2))
    architecture = architecture_of(model)
    expert = 3 * 64 * 192
    assert architecture.parameters == model.num_parameters()
    assert architecture.parameters - architecture.active_parameters == 512 * 64 + 3 * 2 * expert
    assert architecture.mlp_width == pytest.approx(2 * 3 * 192, abs=4)  # and the router


def test_llama_3_8b_is_as_published():
    found = read_architecture("llama-3-8b")
    assert found.parameters == 8_030_261_248
    assert (found.num_layers, found.hidden_size, found.num_heads, found.num_kv_heads) == (32, 4096, 32, 8)
    assert (found.vocab_size, found.context, found.tied) == (128_256, 8192, False)
    assert found.embedding_parameters == 128_256 * 4096
    assert found.layer_parameters == 218_112_000
    assert found.mlp_width == 3 * 14_336
    assert found.training_flops(8192) == 6 * found.active_parameters + 12 * 32 * 4096 * 8192
    assert found.training_flops(8192, causal=True) == 6 * found.active_parameters + 6 * 32 * 4096 * 8192


def test_a_folder_needs_no_weights(tiny_folder, tmp_path):
    (tmp_path / "config.json").write_bytes((tiny_folder / "config.json").read_bytes())
    found = read_architecture(tmp_path)
    assert (found.num_layers, found.hidden_size, found.tied) == (2, 64, True)
    assert found == architecture_of(AutoModelForCausalLM.from_pretrained(tiny_folder))


def test_layers_are_found_among_other_lists(tiny):
    tiny.adapters = torch.nn.ModuleList([torch.nn.Linear(2, 2) for _ in range(9)])
    assert decoder_layers(tiny) is tiny.model.layers


def test_what_is_no_model_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"llama-3-8b, tinyllama-1\.1b"):
        read_architecture("llama-4")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "unheard-of"}), "utf-8")
    with pytest.raises(RegraftError, match="cannot be read"):
        read_architecture(tmp_path)
