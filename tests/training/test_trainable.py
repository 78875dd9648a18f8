from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from transformers import PreTrainedModel

from regraft.core import ConfigError
from regraft.lm.load import load_model
from regraft.lm.loss import CausalLoss, leak_self_test, sequence_loss
from regraft.lm.tiny import TinyConfig, write_tiny
from regraft.training.averaging import Ema, WeightAverage
from regraft.training.export import export_model
from regraft.training.optimizer import AdamW, build_optimizer, clip, take_step
from regraft.training.parallel import Layout, Ranks, decoder_layers, spread, whole
from regraft.training.tensors import training_tensors, whole_weights
from regraft.training.trainable import All, Lora, NewTokens, Only, Trainable, parameter_counts

ALONE = Ranks(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "model"
    write_tiny(path, TinyConfig(vocab_size=300, hidden_size=16, num_heads=2, context=64))
    return path


@pytest.fixture
def model(folder: Path) -> PreTrainedModel:
    return load_model(folder)


def rows() -> dict[str, torch.Tensor]:
    ids = torch.randint(300, (2, 24), generator=torch.Generator().manual_seed(0))
    positions = torch.arange(24).expand_as(ids)
    return {"input_ids": ids, "position_ids": positions, "labels": ids.roll(-1, 1)}


def learn(model: PreTrainedModel, steps: int = 3) -> list[float]:
    objective, optimizer = CausalLoss(model).train(), build_optimizer(AdamW(), model)
    losses: list[float] = []
    for _ in range(steps):
        loss = objective(**rows())
        loss.backward()
        take_step(optimizer, 1e-2)
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def copies(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_all_trains_all(model: PreTrainedModel) -> None:
    before = copies(model)
    All().prepare(model)
    learn(model)
    assert changed(before, copies(model)) == set(before)
    assert parameter_counts(model) == {"trained_parameters": model.num_parameters(), "frozen_parameters": 0}


def test_only_the_embedding_is_trained_and_the_tied_head_with_it(model: PreTrainedModel) -> None:
    before = copies(model)
    Only(patterns=("*embed_tokens*", "*lm_head*")).prepare(model)
    learn(model)
    assert changed(before, copies(model)) == {"model.embed_tokens.weight"}
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    embedding = before["model.embed_tokens.weight"].numel()
    frozen = sum(tensor.numel() for tensor in before.values()) - embedding
    assert parameter_counts(model) == {"trained_parameters": embedding, "frozen_parameters": frozen}


def test_a_tied_weight_is_trained_if_one_of_its_names_matches(model: PreTrainedModel) -> None:
    Only(patterns=("lm_head*",)).prepare(model)
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["model.embed_tokens.weight"]


def untied(folder: Path) -> PreTrainedModel:
    model = load_model(folder)
    model.config.tie_word_embeddings = False
    model.get_output_embeddings().weight = torch.nn.Parameter(model.get_output_embeddings().weight.detach().clone())
    return model


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("load", [load_model, untied])
@pytest.mark.parametrize("layout", ["whole", "ddp", "fsdp"])
def test_old_tokens_keep_their_embeddings_bit_for_bit(folder: Path, load: Any, layout: Layout) -> None:
    """With weight decay, moments, and gradients that are the sum of two passes."""
    model, first = load(folder), 250
    NewTokens(first=first).prepare(model)
    before = copies(model)
    module = spread(CausalLoss(model), layout, ALONE.device, "float32").train()
    optimizer = build_optimizer(AdamW(weight_decay=0.5), model)
    names = {name for name in before if "embed_tokens" in name or "lm_head" in name}
    counts = sum(before[name][first:].numel() for name in names)
    assert len(names) == (2 if load is untied else 1)
    assert parameter_counts(model)["trained_parameters"] == counts
    for _ in range(4):
        for _ in range(2):
            module(**rows()).backward()
        new = [whole(p.grad)[first:] for p in model.parameters() if p.requires_grad and p.grad is not None]
        assert clip(model, 1e9) == pytest.approx(float(sum(grad.square().sum() for grad in new)) ** 0.5)
        take_step(optimizer, 1e-2)
        optimizer.zero_grad()
    after = {name: whole(tensor) for name, tensor in copies(model).items()}
    assert changed(before, after) == names
    for name in names:
        assert torch.equal(before[name][:first].view(torch.int32), after[name][:first].view(torch.int32))
    moved = (before["model.embed_tokens.weight"] != after["model.embed_tokens.weight"]).any(1).nonzero().flatten()
    read = [token for token in rows()["input_ids"].unique().tolist() if token >= first]
    assert moved.tolist() == (read if load is untied else list(range(first, 300)))


def test_new_tokens_that_the_model_has_no_embeddings_for_are_an_error(model: PreTrainedModel) -> None:
    with pytest.raises(ConfigError, match="first is 300, but the model has embeddings for 0 to 299 only"):
        NewTokens(first=300).prepare(model)
    with pytest.raises(ConfigError, match="first is 0"):
        NewTokens(first=0)


@pytest.mark.parametrize("trainable", [Only(patterns=("*norm*", "*no_such*")), Lora(targets=("*_proj", "*no_such*"))])
def test_a_pattern_that_matches_nothing_is_an_error(model: PreTrainedModel, trainable: Trainable) -> None:
    with pytest.raises(ConfigError, match=r"no_such.* matches none of"):
        trainable.prepare(model)


@pytest.mark.parametrize("target", ["lm_head", "model.embed_tokens", "*norm"])
def test_lora_refuses_what_is_no_matrix_of_a_layer(model: PreTrainedModel, target: str) -> None:
    with pytest.raises(ConfigError, match="matches none"):
        Lora(targets=(target,)).prepare(model)


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"alpha": 0.0}, {"dropout": 1.0}, {"targets": ()}])
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Lora(**wrong)
    with pytest.raises(ConfigError):
        Only(patterns=())


def test_lora_begins_as_the_model_and_trains_its_additions_only(model: PreTrainedModel, folder: Path) -> None:
    Lora(rank=4).prepare(model)
    assert type(model) is type(load_model(folder))
    assert len(decoder_layers(model)) == 2
    assert torch.equal(sequence_loss(model, **rows()), sequence_loss(load_model(folder), **rows()))
    assert leak_self_test(model) < 1e-3
    before = copies(model)
    losses = learn(model, steps=5)
    assert losses[-1] < losses[0]
    trained = changed(before, copies(model))
    assert trained == {name for name in before if ".lora_" in name}
    assert len(trained) == 2 * 2 * 7  # A and B of seven matrices in each of two layers


@pytest.mark.parametrize(
    "trainable", [All(), Only(patterns=("*mlp*",)), Lora(rank=4, alpha=12, targets=("*.q_proj", "*mlp*"))]
)
def test_what_is_exported_computes_what_was_trained(
    model: PreTrainedModel, folder: Path, tmp_path: Path, trainable: Trainable
) -> None:
    trainable.prepare(model)
    learn(model)
    weights = whole_weights(model, ALONE)
    before = copies(model)
    export_model(model, folder, tmp_path / "out", trainable.merged(weights))
    assert not changed(before, copies(model))  # the training goes on as if nothing had been exported
    plain = load_model(tmp_path / "out")
    assert {name for name, _ in plain.named_parameters()} == {name for name, _ in load_model(folder).named_parameters()}
    assert plain.get_output_embeddings().weight is plain.get_input_embeddings().weight
    with torch.no_grad():
        ids = rows()["input_ids"]
        torch.testing.assert_close(plain(ids).logits, model.eval()(ids).logits, atol=1e-5, rtol=1e-5)
        assert not torch.equal(plain(ids).logits, load_model(folder)(ids).logits)


@pytest.mark.parametrize("trainable", [Only(patterns=("*layers.1*",)), Lora(rank=4)])
def test_activations_that_are_computed_again_change_nothing(folder: Path, trainable: Trainable) -> None:
    plain, again = load_model(folder), load_model(folder)
    again.activation_checkpointing_enable()
    for model in (plain, again):
        trainable.prepare(model)
    assert learn(plain) == learn(again)
    assert not changed(copies(plain), copies(again))


def test_the_same_seed_gives_the_same_additions_and_leaves_the_generator(folder: Path) -> None:
    found: list[dict[str, torch.Tensor]] = []
    for seed, noise in ((1, 7), (1, 8), (2, 7)):
        model = load_model(folder)
        torch.manual_seed(noise)
        expected = torch.rand(3)
        torch.manual_seed(noise)
        Lora(rank=2, seed=seed).prepare(model)
        assert torch.equal(torch.rand(3), expected)
        found.append(copies(model))
    assert not changed(found[0], found[1])
    assert changed(found[0], found[2])


def test_checkpoints_hold_the_optimizer_of_what_is_trained(model: PreTrainedModel) -> None:
    Lora(rank=2, targets=("*.q_proj",)).prepare(model)
    tensors = training_tensors(model, build_optimizer(AdamW(), model))
    assert {name.split(".lora_")[0] for name in tensors if name.startswith("optimizer/")} == {
        f"optimizer/model.layers.{n}.self_attn.q_proj" for n in range(2)
    }


@pytest.fixture
def group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize(
    "trainable", [All(), Only(patterns=("*embed*", "*norm*")), NewTokens(first=250), Lora(rank=4, dropout=0.1)]
)
def test_every_layout_trains_averages_and_exports_alike(folder: Path, tmp_path: Path, trainable: Trainable) -> None:
    layouts: tuple[Layout, ...] = ("whole", "ddp", "fsdp")
    found = [averaged_loss(folder, tmp_path / layout, trainable, layout) for layout in layouts]
    for inside, reloaded in found:
        assert inside == pytest.approx(reloaded, rel=1e-5)
        assert inside == pytest.approx(found[0][0], rel=1e-5)


def averaged_loss(folder: Path, target: Path, trainable: Trainable, layout: Layout) -> tuple[float, float]:
    """Return the loss with averaged weights as the training has it, and as the exported model has it."""
    model = load_model(folder)
    trainable.prepare(model)
    module = spread(CausalLoss(model), layout, ALONE.device, "float32").train()
    optimizer, average = build_optimizer(AdamW(), model), WeightAverage(Ema(decay=0.5), model, module)
    for step in range(1, 4):
        torch.manual_seed(step)  # for dropout
        module(**rows()).backward()
        take_step(optimizer, 1e-2)
        optimizer.zero_grad()
        average.update(step, 0)
    module.eval()
    with torch.no_grad(), average.applied():
        export_model(model, folder, target, trainable.merged(whole_weights(model, ALONE)))
        inside = float(module(**rows()))
    with torch.no_grad():
        return inside, float(CausalLoss(load_model(target))(**rows()))
