import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

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
    sha256_of,
    stage,
)
from regraft.lm.backbone import BackboneConfig, import_backbone
from regraft.lm.load import load_model, load_tokenizer

COMMIT = "0123456789abcdef" * 2 + "01234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFile:
    raw: RawFiles


@stage(version=1, makes=Kind.FILES)
def given_file(config: GivenFile, ctx: Context) -> Metrics:
    for file in config.raw.files:
        shutil.copyfile(ctx.located[file], ctx.out / file.name)
    return {}


@pytest.fixture
def source(tiny_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_folder, tmp_path / "source")


def make(step: Step[Any], root: Path) -> Artifact:
    store = Store(root / "store")
    return store.resolve(run([step], store, Execution(cache=root / "cache")).steps[step.name])


def local(source: Path) -> Step[BackboneConfig]:
    return import_backbone.step("base", BackboneConfig(folder=RawFiles(root=str(source))))


def write_gguf(folder: Path, target: Path) -> Path:
    """Write the tiny model as GGUF, unquantised, under the names that llama.cpp gives to Llama's tensors."""
    import gguf

    weights, tokenizer = load_file(folder / "model.safetensors"), load_tokenizer(folder)
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_feed_forward_length(192)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(16)
    writer.add_rope_freq_base(10000.0)
    vocabulary = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.get_vocab_size())]
    names = vocabulary + [f"<unused {i}>" for i in range(512 - len(vocabulary))]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(names)
    writer.add_token_types([3] + [1] * (len(names) - 1))
    merges = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["merges"]
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(0)
    parts = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    }  # fmt: skip
    for name, tensor in weights.items():
        short = name.removeprefix("model.").replace("layers.", "blk.")
        short = short.replace("embed_tokens", "token_embd") if "blk." not in short else short
        short = "output_norm.weight" if short == "norm.weight" else short
        for theirs, ours in parts.items():
            short = short.replace(theirs, ours)
        if "attn_q" in short or "attn_k" in short:  # llama.cpp interleaves the two halves of a rotary head
            tensor = tensor.reshape(4, 2, 8, 64).swapaxes(1, 2).reshape(64, 64)
        writer.add_tensor(short, tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def test_a_folder_is_copied_without_its_pickles_and_code(source: Path, tmp_path: Path) -> None:
    (source / "pytorch_model.bin").write_bytes(b"x")
    (source / "modeling_own.py").write_text("")
    artifact = make(local(source), tmp_path)
    assert artifact.manifest.metrics == {
        "origin": "local folder",
        "architecture": "LlamaForCausalLM",
        "parameters": 139584,
        "vocabulary": 512,
        "context": 512,
    }
    names = sorted(path.name for path in artifact.file("model").iterdir())
    assert names == [
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    for name in names:
        assert (artifact.path / "model" / name).read_bytes() == (source / name).read_bytes()


def test_what_happens_to_the_folder_later_does_not_change_the_artifact(source: Path, tmp_path: Path) -> None:
    artifact = make(local(source), tmp_path)
    with (source / "model.safetensors").open("r+b") as file:
        file.write(b"overwritten")
    load_model(artifact.file("model"))


def test_a_folder_of_pickles_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    with pytest.raises(StepFailed, match=r"only \['pytorch_model.bin'\]: pickles can run code"):
        make(local(source), tmp_path)


def test_a_folder_without_a_fast_tokenizer_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "tokenizer.json").unlink()
    with pytest.raises(StepFailed, match=r"has no tokenizer\.json"):
        make(local(source), tmp_path)


def test_a_gguf_file_becomes_safetensors_with_the_same_logits(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_gguf(source, tmp_path / "tiny.gguf")
    files = given_file.step("files", GivenFile(raw=RawFiles(root=str(tmp_path / "tiny.gguf"))))
    digest = sha256_of(tmp_path / "tiny.gguf")
    step = import_backbone.step("base", BackboneConfig(gguf="tiny.gguf", gguf_sha256=digest), files=files)
    artifact = make(step, tmp_path)
    assert capfd.readouterr().err == ""
    ids = torch.arange(20)[None]
    with torch.no_grad():
        found, plain = (load_model(f)(input_ids=ids).logits for f in (artifact.file("model"), source))
    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-4)
    wrong = import_backbone.step("base", BackboneConfig(gguf="tiny.gguf", gguf_sha256="0" * 64), files=files)
    with pytest.raises(StepFailed, match=f"has the SHA-256 {digest}"):
        make(wrong, tmp_path)


def test_a_hub_that_cannot_be_reached_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    step = import_backbone.step("base", BackboneConfig(name="nobody/nothing", revision="0" * 40))
    with pytest.raises(StepFailed, match=r"nobody/nothing@0{40} cannot be fetched from the hub .* local `folder`"):
        make(step, tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one of name, gguf and folder; none given"),
        ({"name": "a/b", "revision": COMMIT, "gguf": "d"}, "exactly one"),
        ({"name": "a/b"}, "belong together"),
        ({"name": "a/b", "revision": COMMIT, "gguf_sha256": "d"}, "but no gguf"),
    ],
)
def test_a_config_without_exactly_one_origin_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BackboneConfig(**fields)


def test_gguf_and_files_belong_together(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="belong together"):
        make(import_backbone.step("base", BackboneConfig(gguf="a.gguf")), tmp_path)


def test_only_what_a_model_is_made_of_is_part_of_its_identity(source: Path, tmp_path: Path) -> None:
    before = make(local(source), tmp_path)
    (source / "README.md").write_text("new")
    (source / "pytorch_model.bin").write_bytes(b"x")
    (source / "runs").mkdir()
    (source / "runs/notes.json").write_text("{}")
    assert make(local(source), tmp_path).id == before.id
    (source / "chat_template.jinja").write_text("{{ messages }}")
    assert make(local(source), tmp_path).id != before.id


def test_code_is_copied_only_when_it_is_named(source: Path, tmp_path: Path) -> None:
    (source / "modeling_own.py").write_text("")
    (source / "other.py").write_text("")
    config = BackboneConfig(folder=RawFiles(root=str(source)), allow_code=("modeling_own.py",))
    artifact = make(import_backbone.step("base", config), tmp_path)
    assert sorted(p.name for p in artifact.file("model").glob("*.py")) == ["modeling_own.py"]
    assert list(json.loads(artifact.file("allowed_code.json").read_text("utf-8"))) == ["modeling_own.py"]


@pytest.mark.parametrize("revision", ["main", "v1.0", "0123abc", "0" * 41])
def test_a_revision_that_may_move_is_refused(revision: str) -> None:
    with pytest.raises(ConfigError, match=f"revision '{revision}' is no commit"):
        BackboneConfig(name="org/model", revision=revision)


@pytest.mark.parametrize("name", ["../evil.py", "*.py", "model.safetensors"])
def test_code_is_named_file_by_file(name: str) -> None:
    with pytest.raises(ConfigError, match="give names of Python files"):
        BackboneConfig(name="org/model", revision=COMMIT, allow_code=(name,))
