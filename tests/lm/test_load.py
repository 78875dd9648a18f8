import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from regraft.core import ConfigError, RegraftError
from regraft.lm.load import context_length, load_model, load_tokenizer, quiet_transformers, token_id


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path):
    return shutil.copytree(tiny_folder, tmp_path / "model")


def test_a_model_is_loaded_in_fp32_for_evaluation(tiny: PreTrainedModel) -> None:
    assert {p.dtype for p in tiny.parameters()} == {torch.float32}
    assert not tiny.training
    assert context_length(tiny) == 512


def test_pickled_weights_are_never_opened(folder: Path) -> None:
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"only \['pytorch_model.bin'\]: pickles can run code"):
        load_model(folder)


def test_code_in_the_folder_is_never_run(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {n: f"evil.{n}" for n in ("AutoConfig", "AutoModelForCausalLM")}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
    with pytest.raises(ConfigError, match="code of its own"):
        load_model(folder)
    assert not (folder / "ran").exists()


def test_missing_tensors_are_not_filled_with_random_numbers(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.layers.1.mlp.up_proj.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(RegraftError, match=r"lack 1 tensors of the model, such as \['model.layers.1.mlp.up_proj"):
        load_model(folder)


def test_a_folder_without_config_or_tokenizer_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        load_model(tmp_path)
    with pytest.raises(ConfigError, match=r"has no tokenizer\.json"):
        load_tokenizer(tmp_path)


def test_a_control_token_written_in_a_text_stays_text(tiny_folder: Path) -> None:
    tokenizer = load_tokenizer(tiny_folder)
    ids = tokenizer.encode("a<|endoftext|>b", add_special_tokens=False).ids
    assert 0 not in ids
    assert tokenizer.decode(ids) == "a<|endoftext|>b"


def test_truncation_and_padding_saved_with_a_tokenizer_are_off(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    tokenizer.save(str(folder / "tokenizer.json"))
    assert len(load_tokenizer(folder).encode("one two three four five").ids) > 4
    assert len(load_tokenizer(folder).encode("a").ids) == 1


def test_tokens_by_name(tiny_folder: Path) -> None:
    tokenizer = load_tokenizer(tiny_folder)
    assert token_id(tokenizer, "<|endoftext|>") == 0
    assert token_id(tokenizer, "") is None
    with pytest.raises(ConfigError, match="no token '<bos>'"):
        token_id(tokenizer, "<bos>")


def test_quiet_transformers_restores_what_was_set() -> None:
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with quiet_transformers():
        assert not logging.is_progress_bar_enabled()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (level, bars)
