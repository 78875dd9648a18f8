"""What a killed training continues from: model, optimizer, position, shares, controller and the tables, together.

A checkpoint is written beside its place and renamed, so that there is always a whole one or none. Tensors are stored as
safetensors, everything else as JSON and Parquet: nothing is unpickled.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from regraft.core.artifact import flush_directory, flush_tree

PREFIX = "checkpoint-"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A restored position: the step after which it was written and the JSON state that was given to `save`."""

    folder: Path
    step: int
    state: dict[str, Any]


def save(
    folder: Path,
    step: int,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    state: dict[str, Any],
    write_tables: Callable[[Path], None],
) -> None:
    """Write a checkpoint below `folder` and then remove the older ones. It counts from the rename on.

    `state` must be JSON data; `write_tables` is given the folder to write its tables to.
    """
    target = folder / f"{PREFIX}{step:09d}"
    part = folder / f"tmp-{target.name}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file(_model_tensors(model), part / "model.safetensors")
    save_file(_optimizer_tensors(model, optimizer), part / "optimizer.safetensors")
    (part / "state.json").write_text(json.dumps({"step": step, **state}), "utf-8")
    write_tables(part)
    flush_tree(part)
    part.rename(target)
    flush_directory(folder)
    for old in folder.glob(f"{PREFIX}*"):
        if old != target:
            shutil.rmtree(old)


def latest(folder: Path) -> Checkpoint | None:
    """Return the newest whole checkpoint below `folder`, None when there is none; remains of a torn one are removed."""
    for torn in folder.glob(f"tmp-{PREFIX}*"):
        shutil.rmtree(torn)
    found = sorted(folder.glob(f"{PREFIX}*"))
    if not found:
        return None
    state = json.loads((found[-1] / "state.json").read_text("utf-8"))
    return Checkpoint(found[-1], state["step"], state)


def restore(checkpoint: Checkpoint, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Load the tensors of a checkpoint into a model and an optimizer of the same make, in place."""
    stored = load_file(checkpoint.folder / "model.safetensors")
    for name, tensor in _model_tensors(model).items():
        tensor.copy_(stored[name])
    moments = load_file(checkpoint.folder / "optimizer.safetensors")
    for name, parameter in _trainable(model):
        optimizer.state[parameter] = {
            key: moments[f"{name}/{key}"].to(parameter.device) for key in ("step", "exp_avg", "exp_avg_sq")
        }


def _trainable(model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def _model_tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return parameters by name, a tied weight once, without copying them."""
    return {name: p.detach() for name, p in model.named_parameters()}


def _optimizer_tensors(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    return {
        f"{name}/{key}": tensor.detach()
        for name, parameter in _trainable(model)
        for key, tensor in optimizer.state[parameter].items()
    }
