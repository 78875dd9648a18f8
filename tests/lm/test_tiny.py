import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from regraft.core import ConfigError, Store, run
from regraft.lm.load import load_model, load_tokenizer
from regraft.lm.tiny import SAMPLE_TEXTS, TinyConfig, make_tiny, tiny_model_folder


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in sorted(folder.iterdir())}


def test_the_same_config_gives_the_same_bytes_and_another_seed_other_weights(tmp_path: Path, tiny_folder: Path) -> None:
    assert hashes(tiny_model_folder(tmp_path / "again")) == hashes(tiny_folder)
    other = hashes(tiny_model_folder(tmp_path / "other", seed=1))
    assert {name for name, value in hashes(tiny_folder).items() if other[name] != value} == {"model.safetensors"}


def test_no_random_state_of_the_process_is_touched(tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    tiny_model_folder(tmp_path / "model")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_separator_is_token_0_and_text_of_both_scripts_survives(tiny_folder: Path) -> None:
    tokenizer = load_tokenizer(tiny_folder)
    assert tokenizer.token_to_id("<|endoftext|>") == 0
    for text in (*SAMPLE_TEXTS, "🌳 x\n"):
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids) == text


def test_a_tiny_model_depends_on_what_stands_before(tiny: PreTrainedModel) -> None:
    with torch.no_grad():
        logits = tiny(input_ids=torch.tensor([[5, 9, 7], [6, 9, 7]])).logits[:, -1]
    assert (logits[0] - logits[1]).abs().max() > 0.1


def test_the_stage_is_pinned(tmp_path: Path, tiny_folder: Path) -> None:
    record = run([make_tiny.step("tiny", TinyConfig())], Store(tmp_path))
    artifact = Store(tmp_path).resolve(record.steps["tiny"])
    assert artifact.manifest.metrics == {"parameters": 139584, "vocabulary": 489, "context": 512}
    assert hashes(artifact.file("model")) == hashes(tiny_folder)
    assert hashes(tiny_folder)["tokenizer.json"] == "1381025a91512f9b"
    weight: Any = load_model(artifact.file("model")).get_input_embeddings().weight
    assert weight.flatten()[:3].tolist() == pytest.approx([0.2014862, -0.1856522, 0.0282075], abs=1e-6)


@pytest.mark.parametrize("fields", [{"vocab_size": 256}, {"hidden_size": 60, "num_heads": 8}, {"num_layers": 0}])
def test_sizes_that_make_no_model_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TinyConfig(**fields)
