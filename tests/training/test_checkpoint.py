from pathlib import Path

import torch

from regraft.training import checkpoint
from regraft.training.optimizer import AdamW, build_optimizer, optimizer_step


def model_and_optimizer(seed: int) -> tuple[torch.nn.Module, torch.optim.AdamW]:
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4))
    return model, build_optimizer(AdamW(weight_decay=0.1), model)


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> float:
    model(torch.ones(2, 4)).square().sum().backward()
    return optimizer_step(optimizer, model, 0.1, 1.0)


def note(folder: Path) -> None:
    (folder / "table.txt").write_text("rows")


def test_a_restored_pair_goes_on_bit_for_bit(tmp_path: Path) -> None:
    model, optimizer = model_and_optimizer(0)
    step(model, optimizer)
    checkpoint.save(tmp_path, 1, model, optimizer, {"tokens": 7}, note)
    other, others = model_and_optimizer(1)
    found = checkpoint.latest(tmp_path)
    assert found is not None
    assert (found.step, found.state["tokens"], (found.folder / "table.txt").read_text()) == (1, 7, "rows")
    checkpoint.restore(found, other, others)
    assert step(model, optimizer) == step(other, others)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_only_the_newest_stays_and_a_torn_one_is_removed(tmp_path: Path) -> None:
    model, optimizer = model_and_optimizer(0)
    step(model, optimizer)
    for number in (1, 2):
        checkpoint.save(tmp_path, number, model, optimizer, {}, note)
    (tmp_path / "tmp-checkpoint-000000003").mkdir()
    found = checkpoint.latest(tmp_path)
    assert found is not None
    assert found.step == 2
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint-000000002"]
    assert checkpoint.latest(tmp_path / "nowhere") is None


def test_decay_touches_matrices_only() -> None:
    _, optimizer = model_and_optimizer(0)
    assert [(group["weight_decay"], len(group["params"])) for group in optimizer.param_groups] == [(0.1, 1), (0.0, 3)]
