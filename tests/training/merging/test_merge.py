import json
import math
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from regraft.core import (
    Artifact,
    ConfigError,
    Context,
    Execution,
    Kind,
    Metrics,
    RegraftError,
    Step,
    StepFailed,
    Store,
    run,
    stage,
)
from regraft.lm.load import load_model, load_tokenizer
from regraft.lm.loss import leak_self_test
from regraft.lm.tiny import TinyConfig, make_tiny, write_tiny
from regraft.training.merging import soup
from regraft.training.merging.merge import MergeConfig, members_of, merge_models
from regraft.training.merging.weights import DecayLike, Greedy, Member, Uniform, Weighted
from tests.training.conftest import TextsConfig, tokens_of, training, write_texts

WEIGHTS = "model/model.safetensors"
SMALL = {"vocab_size": 300, "num_layers": 1, "hidden_size": 16, "num_heads": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    seeds: tuple[int, ...] = (1, 2, 3)
    last_kept: bool = False


@stage(version=1, makes=Kind.CHECKPOINT)
def kept_run(config: RunConfig, ctx: Context) -> Metrics:
    """Write what a training with `keep_every=10` leaves: a model every ten steps, the last one as the final model."""
    for number, seed in enumerate(config.seeds, start=1):
        final = number == len(config.seeds)
        if not final or config.last_kept:
            write_tiny(ctx.out / f"kept/step-{10 * number:09d}/model", TinyConfig(**SMALL, seed=seed))
        if final:
            write_tiny(ctx.out / "model", TinyConfig(**SMALL, seed=seed))
    return {"steps": 10 * len(config.seeds)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoudConfig:
    factor: float = 4.0


@stage(version=1, makes=Kind.CHECKPOINT, model=Kind.CHECKPOINT)
def loud(config: LoudConfig, ctx: Context) -> Metrics:
    """Write a model with larger weights, which make it sure of what is wrong."""
    shutil.copytree(ctx.input("model").file("model"), ctx.out / "model")
    larger = {name: tensor * config.factor for name, tensor in load_file(ctx.out / WEIGHTS).items()}
    save_file(larger, ctx.out / WEIGHTS, metadata={"format": "pt"})
    return {}


@cache
def tiny(seed: int, **changes: Any) -> Step[TinyConfig]:
    return make_tiny.step(f"tiny/{seed}", TinyConfig(**(SMALL | changes), seed=seed))


def make(step: Step[Any], root: Path) -> Artifact:
    store = Store(root / "store")
    return store.resolve(run([step], store, Execution()).steps[step.name])


def merged(root: Path, config: MergeConfig, *models: Step[Any], **inputs: Step[Any]) -> Artifact:
    return make(merge_models.step("merge", config, models=models, **inputs), root)


def tensors(artifact: Artifact) -> dict[str, torch.Tensor]:
    return load_file(artifact.file(WEIGHTS))


def mean(root: Path, steps: list[Step[Any]], weights: list[float]) -> dict[str, torch.Tensor]:
    """Return the weighted mean in double precision, the plain way."""
    models = [tensors(make(step, root)) for step in steps]
    return {name: sum(m[name].double() * w for m, w in zip(models, weights, strict=True)).float() for name in models[0]}


def members(*steps: int, run_: str = "train-1") -> list[Member]:
    return [Member(name=f"{run_}/{step}", run=run_, step=step, folder=Path()) for step in steps]


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert torch.equal(tensor, expected[name]), name


def test_a_uniform_soup_is_the_mean_and_reloads(tmp_path: Path) -> None:
    steps = [tiny(1), tiny(2), tiny(3)]
    soup_ = merged(tmp_path, MergeConfig(), *steps)
    assert_same(tensors(soup_), mean(tmp_path, steps, [1 / 3] * 3))
    model = load_model(soup_.file("model"))
    assert leak_self_test(model) < 1e-3
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert soup_.manifest.metrics["members"] == 3
    assert soup_.manifest.metrics["parameters"] == model.num_parameters()
    assert load_tokenizer(soup_.file("model")).encode("graft").ids


def test_weights_count_as_given_and_in_order(tmp_path: Path) -> None:
    found = merged(tmp_path, MergeConfig(method=Weighted(values=(0.25, 0.75))), tiny(1), tiny(2))
    assert_same(tensors(found), mean(tmp_path, [tiny(1), tiny(2)], [0.25, 0.75]))


def test_interpolation_with_the_base(tmp_path: Path) -> None:
    found = merged(tmp_path, MergeConfig(base_share=0.4), tiny(2), tiny(3), base=tiny(1))
    assert_same(tensors(found), mean(tmp_path, [tiny(1), tiny(2), tiny(3)], [0.4, 0.3, 0.3]))


def test_bfloat16_is_rounded_once_and_said_in_the_config(tmp_path: Path) -> None:
    found = merged(tmp_path, MergeConfig(dtype="bfloat16"), tiny(1), tiny(2))
    exact = mean(tmp_path, [tiny(1), tiny(2)], [0.5, 0.5])
    assert_same(tensors(found), {name: tensor.bfloat16() for name, tensor in exact.items()})
    assert json.loads(found.file("model/config.json").read_text())["dtype"] == "bfloat16"


def test_kept_checkpoints_oldest_first_and_the_final_one_once(tmp_path: Path) -> None:
    kept = make(kept_run.step("run", RunConfig(last_kept=True)), tmp_path)
    assert [member.step for member in members_of(kept, 0)] == [10, 20, 30]
    assert [member.step for member in members_of(kept, 2)] == [20, 30]
    assert members_of(kept, 1)[0].folder == kept.file("model")


@pytest.mark.parametrize("last_kept", [False, True])
def test_a_merge_in_place_of_a_decay(tmp_path: Path, last_kept: bool) -> None:
    step = kept_run.step("run", RunConfig(last_kept=last_kept))
    found = merged(tmp_path, MergeConfig(method=DecayLike(shape="one_minus_sqrt"), last=0), step)
    root = math.sqrt
    expected = [root(1 / 3), root(2 / 3) - root(1 / 3), 1 - root(2 / 3)]
    models = [tensors(make(tiny(seed), tmp_path)) for seed in (1, 2, 3)]
    for name, tensor in tensors(found).items():
        by_hand = sum(m[name] * w for m, w in zip(models, expected, strict=True))
        torch.testing.assert_close(tensor, by_hand, atol=1e-6, rtol=0)


def test_what_a_training_kept_is_merged_like_a_decay_and_reloads(tmp_path: Path) -> None:
    trained = training(keep_every=3 * 2 * 64)  # every three steps of twelve
    config = MergeConfig(method=DecayLike(shape="linear"), last=0)
    found = merged(tmp_path, config, trained)
    origin = make(trained, tmp_path)
    weights = [value for name, value in found.manifest.metrics.items() if name.startswith("weight.")]
    assert weights == pytest.approx([0.25] * 4)
    kept = [load_file(origin.path / f"kept/step-{step:09d}/{WEIGHTS}") for step in (3, 6, 9)]
    for name, tensor in tensors(found).items():
        expected = torch.stack([*(m[name] for m in kept), tensors(origin)[name]]).mean(0)
        torch.testing.assert_close(tensor, expected, atol=1e-6, rtol=0)
    assert leak_self_test(load_model(found.file("model"))) < 1e-3


def test_a_linear_decay_over_even_steps_is_the_uniform_soup() -> None:
    found = DecayLike(shape="linear").weights(members(100, 200, 300, 400))
    assert found == pytest.approx(Uniform().weights(members(100, 200, 300, 400)))


@given(
    gaps=st.lists(st.integers(1, 1000), min_size=1, max_size=20), shape=st.sampled_from(["linear", "one_minus_sqrt"])
)
def test_decay_weights_scale_each_change_by_the_decay(gaps: list[int], shape: Any) -> None:
    steps = [sum(gaps[:i]) for i in range(len(gaps) + 1)]
    weights = DecayLike(shape=shape).weights(members(*steps))
    assert math.fsum(weights) == pytest.approx(1)
    assert min(weights) > 0
    rates = [math.fsum(weights[i:]) for i in range(len(weights))]
    assert rates[0] == pytest.approx(1)
    assert rates == sorted(rates, reverse=True)
    for step, rate in zip(steps, rates, strict=True):
        position = step / steps[-1] * len(gaps) / (len(gaps) + 1)
        assert rate == pytest.approx(1 - (position if shape == "linear" else math.sqrt(position)))


def test_a_decay_needs_checkpoints_of_one_run() -> None:
    with pytest.raises(ConfigError, match="one run"):
        DecayLike().weights([*members(10, 20), *members(30, run_="train-2")])
    assert DecayLike().weights(members(10)) == (1.0,)


@pytest.mark.parametrize("values", [(), (0.5, 0.6), (-0.5, 1.5), (float("nan"), 1.0)])
def test_weights_must_be_shares_that_sum_to_one(values: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="sum to 1"):
        Weighted(values=values)


def test_one_weight_a_member(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="2 weights for 3 members"):
        merged(tmp_path, MergeConfig(method=Weighted(values=(0.5, 0.5))), tiny(1), tiny(2), tiny(3))


def held_out(model: Step[Any]) -> Step[Any]:
    return tokens_of("held-out", write_texts.step("corpus/held-out", TextsConfig(count=4, part="held")), model)


def test_the_greedy_soup_takes_what_lowers_the_loss_and_leaves_the_rest(tmp_path: Path) -> None:
    steps = [loud.step("loud", LoudConfig(), model=tiny(3)), tiny(1), tiny(2)]
    soup_ = merged(tmp_path, MergeConfig(method=Greedy()), *steps, held_out=held_out(steps[1]))
    found, ids = soup_.manifest.metrics, [make(step, tmp_path).id for step in steps]
    assert [found[f"weight.{id_}"] for id_ in ids] == [0, 0.5, 0.5]
    assert found["loss"] < min(found[f"loss.{id_}"] for id_ in ids)
    assert found[f"loss_with.{ids[0]}"] > found["loss"]
    assert_same(tensors(soup_), tensors(merged(tmp_path, MergeConfig(), *steps[1:])))


def test_greedy_and_held_out_belong_together(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="held_out"):
        merged(tmp_path, MergeConfig(method=Greedy()), tiny(1), tiny(2))
    with pytest.raises(StepFailed, match="held_out"):
        merged(tmp_path, MergeConfig(), tiny(1), tiny(2), held_out=held_out(tiny(1)))
    with pytest.raises(StepFailed, match="base_share"):
        merged(tmp_path, MergeConfig(), tiny(1), base=tiny(2))
    with pytest.raises(StepFailed, match="given twice"):
        merged(tmp_path, MergeConfig(), tiny(1), tiny(1))


def test_models_that_are_not_alike_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"config.json .* hidden_size \(16 and 32\)"):
        merged(tmp_path, MergeConfig(), tiny(1), tiny(2, hidden_size=32))
    with pytest.raises(StepFailed, match=r"tokenizer.json .* differ in model"):
        merged(tmp_path, MergeConfig(), tiny(1), tiny(2, texts=("other text " * 9,)))


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    folders = [tmp_path / "one", tmp_path / "two"]
    for seed, folder in enumerate(folders):
        write_tiny(folder, TinyConfig(**SMALL, seed=seed))
    return folders


def test_a_soup_of_equal_models_is_that_model(two: list[Path], tmp_path: Path) -> None:
    soup.write_soup([two[0]] * 3, [0.3, 0.3, 0.4], tmp_path / "out", "float32")
    assert_same(load_file(tmp_path / "out/model.safetensors"), load_file(two[0] / "model.safetensors"))


def test_other_tensors_are_refused_by_name(two: list[Path], tmp_path: Path) -> None:
    weights = load_file(two[1] / "model.safetensors")
    norm = weights.pop("model.norm.weight")
    save_file(weights, two[1] / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RegraftError, match=r"model.norm.weight \(\(16,\) and None\)"):
        soup.write_soup(two, [0.5, 0.5], tmp_path / "out", "float32")
    save_file({**weights, "model.norm.weight": norm[:8].clone()}, two[1] / "model.safetensors")
    with pytest.raises(RegraftError, match=r"model.norm.weight \(\(16,\) and \(8,\)\)"):
        soup.write_soup(two, [0.5, 0.5], tmp_path / "out2", "float32")


def test_a_tied_head_that_was_written_twice_is_no_difference(two: list[Path], tmp_path: Path) -> None:
    weights = load_file(two[1] / "model.safetensors")
    save_file(weights | {"lm_head.weight": weights["model.embed_tokens.weight"].clone()}, two[1] / "model.safetensors")
    soup.write_soup(two, [0.5, 0.5], tmp_path / "out", "float32")
    assert "lm_head.weight" not in load_file(tmp_path / "out/model.safetensors")


def test_shards_in_and_out(two: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soup.write_soup(two, [0.5, 0.5], tmp_path / "whole", "float32")
    monkeypatch.setattr(soup, "SHARD_BYTES", 10_000)
    soup.write_soup(two, [0.5, 0.5], tmp_path / "parts", "float32")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    soup.write_soup([tmp_path / "parts"], [1.0], tmp_path / "again", "float32")
    whole, again = (load_model(tmp_path / name).state_dict() for name in ("whole", "again"))
    assert_same(whole, again)
    shutil.rmtree(tmp_path / "again")
    next((tmp_path / "parts").glob("*.safetensors")).unlink()
    with pytest.raises(ConfigError, match="lacks"):
        soup.write_soup([tmp_path / "parts"], [1.0], tmp_path / "again", "float32")


def test_golden(tmp_path: Path) -> None:
    """Weights of members and some of the model; others need another version of the stage."""
    config = MergeConfig(method=DecayLike(shape="one_minus_sqrt"), last=0)
    found = merged(tmp_path, config, kept_run.step("run", RunConfig()))
    weights = [value for name, value in found.manifest.metrics.items() if name.startswith("weight.")]
    assert weights == pytest.approx([0.57735027, 0.23914631, 0.18350342])
    row = tensors(found)["model.embed_tokens.weight"][5, :4]
    torch.testing.assert_close(row, torch.tensor([-0.0067457, -0.0008863, 0.1774234, 0.0288087]), atol=1e-6, rtol=0)
