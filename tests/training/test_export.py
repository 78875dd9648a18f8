import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from regraft.core import ConfigError, Execution, Step, Store, run
from regraft.core.artifact import damage
from regraft.lm.load import load_model
from regraft.training.export import export_model
from regraft.training.history import steps_of_document
from regraft.training.publish import export_artifact
from regraft.training.train import train
from tests.training.conftest import training


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two trainings one after the other, the first one steered."""
    first: Step = training(tokens=6 * 2 * 64)
    inputs = {role: steps[0] for role, steps in first.inputs.items()}
    second = train.step("train/second", first.config, **{**inputs, "model": first})
    store = Store(tmp_path_factory.mktemp("store"))
    run([second], store, Execution(workers=1))
    return store


def logits(folder: Path) -> torch.Tensor:
    with torch.no_grad():
        return load_model(folder)(input_ids=torch.arange(40)[None]).logits


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_exported_has_the_logits_of_the_artifact_bit_for_bit(store: Store, tmp_path: Path) -> None:
    artifact = store.resolve("train/second")
    export_artifact(store, artifact, tmp_path / "out")
    assert torch.equal(logits(tmp_path / "out"), logits(artifact.file("model")))
    assert not torch.equal(logits(tmp_path / "out"), logits(store.resolve("backbone").file("model")))
    names = {"README.md", "DATA.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"}
    assert names <= set(contents(tmp_path / "out"))
    assert not list(tmp_path.glob(".*"))
    assert not damage(artifact)


def test_the_same_artifact_gives_the_same_bytes_wherever_it_lies(store: Store, tmp_path: Path) -> None:
    moved = Store(shutil.copytree(store.root, tmp_path / "moved"))
    export_artifact(store, store.resolve("train/second"), tmp_path / "one")
    export_artifact(moved, moved.resolve("train/second"), tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_bfloat16_is_half_the_bytes_and_says_so(store: Store, tmp_path: Path) -> None:
    artifact = store.resolve("train")
    export_artifact(store, artifact, tmp_path / "out", "bfloat16")
    weights, plain = (load_file(f / "model.safetensors") for f in (tmp_path / "out", artifact.file("model")))
    assert {name: w.bfloat16() for name, w in plain.items()}.keys() == weights.keys()
    assert all(torch.equal(weights[name], w.bfloat16()) for name, w in plain.items())
    assert json.loads((tmp_path / "out/config.json").read_text())["dtype"] == "bfloat16"
    assert "bfloat16, safetensors" in (tmp_path / "out/README.md").read_text("utf-8")
    assert "lm_head.weight" not in weights, "a tied weight is written once"


def test_the_index_of_shards_counts_the_bytes_that_are_there(store: Store, tmp_path: Path) -> None:
    moved = Store(shutil.copytree(store.root, tmp_path / "moved"))
    artifact = moved.resolve("train")
    model, folder = load_model(artifact.file("model")), artifact.file("model")
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="100KB")
    export_artifact(moved, artifact, tmp_path / "out", "bfloat16")
    index = json.loads((tmp_path / "out/model.safetensors.index.json").read_text("utf-8"))
    assert index["metadata"]["total_size"] == 2 * model.num_parameters()
    load_model(tmp_path / "out")


def test_the_model_card_says_from_what_and_how(store: Store, tmp_path: Path) -> None:
    export_artifact(store, store.resolve("train/second"), tmp_path / "out")
    card = (tmp_path / "out/README.md").read_text("utf-8")
    artifact = store.resolve("train/second")
    for text in (
        "library_name: transformers",
        "language: ['en', 'zh']",
        "Made by regraft from **make_tiny, random weights**",
        "## Stage 1: train\n",
        "## Stage 2: train/second\n",
        "| schedule | `WarmupStable(peak=0.01, start=",
        "| steps | 6 |",
        artifact.manifest.fingerprint,
        artifact.manifest.content_digest,
        f"    - model: backbone `{store.resolve('backbone').id}`",
        "| licence of the base model | unknown |",
        "Not evaluated in this store.",
        f"torch {torch.__version__}",
    ):
        assert text in card
    for secret in (str(store.root), str(Path.home()), artifact.manifest.provenance.started, "pytest"):
        assert secret not in card


def test_the_data_card_counts_what_was_consumed(store: Store, tmp_path: Path) -> None:
    export_artifact(store, store.resolve("train/second"), tmp_path / "out")
    card = (tmp_path / "out/DATA.md").read_text("utf-8")
    for name in ("train", "train/second"):
        assert f": {name}\n" in card
    tokens = sum(int(store.resolve(name).manifest.metrics["tokens"] or 0) for name in ("train", "train/second"))
    rows = [line.split(" | ") for line in card.splitlines() if line.startswith(("| en | web-en |", "| zh | web-zh |"))]
    assert f"| {tokens:,} |" in next(line for line in card.splitlines() if line.startswith("| all"))
    by_topic = [row for row in rows if len(row) > 4]
    assert len(by_topic) == 2 * 2 * 2, "language x topic x stage"
    shares = [[float(row[5]), float(row[6].removesuffix(" |"))] for row in by_topic]
    assert any(first != last for first, last in shares), "the controller moved some"
    assert "| web-zh | unknown | " in card
    assert "| corpus/train | `write_texts-" in card


def test_licences_are_those_of_documents_that_were_consumed(store: Store) -> None:
    from regraft.training.cards.consumption import licences

    corpus, artifact = store.resolve("corpus/train"), store.resolve("train")
    seen = {f"train-en-{i}" for i in range(24) if steps_of_document(artifact, f"train-en-{i}")}
    assert {k: dict(v) for k, v in licences([corpus], seen).items()} == {"web-en": {"unknown": len(seen)}}


def test_what_cannot_be_exported_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no model but of the kind corpus"):
        export_artifact(store, store.resolve("corpus/train"), tmp_path / "out")
    with pytest.raises(ConfigError, match="exists already"):
        export_artifact(store, store.resolve("train"), tmp_path)


@pytest.mark.parametrize("tied", [True, False])
def test_a_model_goes_out_as_it_came_in(store: Store, tmp_path: Path, tied: bool) -> None:
    """Tied or not, with a buffer that is saved, and with settings of generation that Transformers would not save."""
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    experts = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "first_k_dense_replace": 1}
    heads = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
    groups = {"n_group": 1, "topk_group": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
    config = AutoConfig.for_model("deepseek_v3", **sizes, **experts, **heads, **groups, tie_word_embeddings=tied)
    origin = tmp_path / "origin"
    AutoModelForCausalLM.from_config(config).save_pretrained(origin)
    (origin / "generation_config.json").write_text('{"temperature": 0.7, "do_sample": false}')
    (origin / "LICENSE").write_text("free")
    (origin / "special_tokens_map.json").write_text("{}")
    model = load_model(origin)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)
    weights = {name: p.detach().clone() for name, p in model.named_parameters(remove_duplicate=False)}
    export_model(model, origin, tmp_path / "out", weights)
    ids = torch.arange(20)[None]
    again = load_model(tmp_path / "out")
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, model(input_ids=ids).logits)
    assert (again.get_output_embeddings().weight is again.get_input_embeddings().weight) == tied
    assert ("lm_head.weight" in load_file(tmp_path / "out/model.safetensors")) != tied
    for name in ("generation_config.json", "LICENSE", "special_tokens_map.json"):
        assert (tmp_path / "out" / name).read_bytes() == (origin / name).read_bytes()


def test_a_merged_model_has_the_history_of_all_its_parts(store: Store, tmp_path: Path) -> None:
    from regraft.training.merging.merge import MergeConfig, merge_models

    first: Step = training(tokens=6 * 2 * 64)
    inputs = {role: steps[0] for role, steps in first.inputs.items()}
    second = train.step("train/second", first.config, **{**inputs, "model": first})
    run([merge_models.step("merged", MergeConfig(), models=[first, second])], store, Execution(workers=1))
    export_artifact(store, store.resolve("merged"), tmp_path / "out")
    card = (tmp_path / "out/README.md").read_text("utf-8")
    stages = [line for line in card.splitlines() if line.startswith("## Stage")]
    assert stages == ["## Stage 1: train", "## Stage 2: train/second", "## Stage 3: merged"]
    assert (tmp_path / "out/DATA.md").read_text("utf-8").count("## Stage") == 2


def test_the_command_line_exports_and_says_what(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from regraft.cli import main

    given = ["export", "train/second", str(tmp_path / "out"), "--dtype", "bfloat16", "--store", str(store.root)]
    assert main(given) == 0
    assert capsys.readouterr().out.startswith(f"{store.resolve('train/second').id} (train/second) in bfloat16: ")
    assert main(given) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["trace", "train", "--document", "train-en-0", "--store", str(store.root)]) == 0
    assert "step 1  en/web-en/gardens" in capsys.readouterr().out
