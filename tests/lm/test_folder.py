import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForMaskedLM, AutoModelForSeq2SeqLM, PreTrainedModel

from regraft.core import ConfigError, RegraftError
from regraft.lm.folder import allow_code, copy_code
from regraft.lm.import_model import describe_model
from regraft.lm.load import load_model, quiet_transformers

SMALL = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
CODE = """
import pathlib
from transformers import LlamaConfig, LlamaForCausalLM

pathlib.Path(__file__).with_name("ran").touch()
class OwnConfig(LlamaConfig):
    model_type = "own"
class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_folder, tmp_path / "model")


def edit(folder: Path, **fields: Any) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | fields), "utf-8")


@pytest.fixture
def own(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The tiny model as one that brings code of its own."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    classes = {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnForCausalLM"}
    edit(folder, model_type="own", architectures=["OwnForCausalLM"], auto_map=classes)
    (folder / "modeling_own.py").write_text(CODE, "utf-8")
    return folder


def test_code_is_refused_by_the_name_of_its_file_and_not_run(own: Path, tmp_path: Path) -> None:
    for function in (load_model, describe_model):
        with pytest.raises(
            ConfigError, match=r"code of its own: \['modeling_own.py'\].*allow_code=\('modeling_own.py',"
        ):
            function(own)
    assert not list(tmp_path.rglob("ran"))


def test_code_that_was_allowed_is_run_unless_it_changed(own: Path, tiny: PreTrainedModel, tmp_path: Path) -> None:
    allow_code(["modeling_own.py"], own)
    model = load_model(own)
    assert type(model).__name__ == describe_model(own)["architecture"] == "OwnForCausalLM"
    ids = torch.arange(9)[None]
    torch.testing.assert_close(model(input_ids=ids).logits, tiny(input_ids=ids).logits, rtol=0, atol=0)
    (tmp_path / "next/model").mkdir(parents=True)
    copy_code(own, tmp_path / "next/model")
    assert (tmp_path / "next/model/modeling_own.py").read_text("utf-8") == CODE
    assert (tmp_path / "next/allowed_code.json").is_file()
    (own / "modeling_own.py").write_text(f"{CODE}\n", "utf-8")
    with pytest.raises(ConfigError, match="code of its own"):
        load_model(own)


def test_code_in_another_repository_and_code_that_is_not_there_are_refused(own: Path) -> None:
    edit(own, auto_map={"AutoModelForCausalLM": "somebody/else--modeling_own.Own"})
    with pytest.raises(ConfigError, match=r"'somebody/else--modeling_own.py'"):
        load_model(own)
    with pytest.raises(ConfigError, match=r"allow_code names \['other.py'\]"):
        allow_code(["other.py"], own)


def test_an_architecture_that_transformers_knows_needs_no_code(folder: Path) -> None:
    edit(folder, auto_map={"AutoModelForCausalLM": "modeling_own.OwnForCausalLM"})
    assert type(load_model(folder)).__name__ == "LlamaForCausalLM"


def test_an_unknown_architecture_without_code_is_a_clear_error(folder: Path) -> None:
    edit(folder, model_type="from_the_future", architectures=["FutureForCausalLM"])
    for function in (load_model, describe_model):
        with pytest.raises(RegraftError, match=r"from_the_future|FutureForCausalLM"):
            function(folder)


def test_encoders_and_encoder_decoders_are_refused_by_name(tmp_path: Path) -> None:
    encoder = AutoModelForMaskedLM.from_config(AutoConfig.for_model("bert", **SMALL))
    both = AutoModelForSeq2SeqLM.from_config(
        AutoConfig.for_model("t5", vocab_size=64, d_model=32, d_ff=32, d_kv=16, num_layers=1, num_heads=2)
    )
    with quiet_transformers():
        encoder.save_pretrained(tmp_path / "bert")
        both.save_pretrained(tmp_path / "t5")
    with pytest.raises(ConfigError, match=r"BertForMaskedLM \(bert\) in .* is no causal language model"):
        load_model(tmp_path / "bert")
    with pytest.raises(ConfigError, match=r"T5ForConditionalGeneration \(t5\) in .* is an encoder-decoder"):
        load_model(tmp_path / "t5")
    assert describe_model(tmp_path / "bert")["vocabulary"] == 64, "the classifier of topics may use one"


def test_quantised_weights_are_refused(folder: Path) -> None:
    edit(folder, quantization_config={"quant_method": "gptq"})
    with pytest.raises(ConfigError, match="has quantised weights"):
        load_model(folder)


def test_shards_are_read_and_a_missing_one_is_named(tiny: PreTrainedModel, tmp_path: Path) -> None:
    with quiet_transformers():
        tiny.save_pretrained(tmp_path / "sharded", max_shard_size="100KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 2
    ids = torch.arange(9)[None]
    found = load_model(tmp_path / "sharded")
    torch.testing.assert_close(found(input_ids=ids).logits, tiny(input_ids=ids).logits, rtol=0, atol=0)
    lost = sorted((tmp_path / "sharded").glob("*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(ConfigError, match=rf"lacks \['{lost.name}'\], which its model.safetensors.index.json names"):
        load_model(tmp_path / "sharded")


def test_a_broken_index_or_shard_is_a_clear_error(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(RegraftError, match="cannot be loaded"):
        load_model(folder)
    (folder / "model.safetensors.index.json").write_text("{", "utf-8")
    with pytest.raises(ConfigError, match="cannot be read as JSON"):
        load_model(folder)
