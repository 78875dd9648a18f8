"""Models that a training keeps on its way: to decay from one again, or to evaluate it."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from regraft.core import ConfigError, Context, Kind, Metrics, stage

KEPT = "kept"
"""Folder of a training, in scratch and in what it makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptConfig:
    """Which of the models that a training kept (`TrainConfig.keep_every`)."""

    step: int
    """After which it was kept."""


@stage(version=1, makes=Kind.CHECKPOINT, model=Kind.CHECKPOINT)
def take_kept(config: KeptConfig, ctx: Context) -> Metrics:
    """Write the model that a training kept after a step to `model/`, as a checkpoint of its own.

    It has no optimizer state: a training that starts from it begins with new moments. What the whole training
    consumed counts as consumed, that after the step included.

    Raises:
        ConfigError: the training kept none after that step.
    """
    kept = _by_step(ctx.input("model").path)
    if config.step not in kept:
        raise ConfigError(f"{ctx.input('model').id} kept no model after step {config.step}; it kept {sorted(kept)}.")
    shutil.copytree(kept[config.step] / "model", ctx.out / "model")
    return {"step": config.step}


def place_to_keep(folder: Path, step: int) -> Path:
    """Return where a training in `folder` writes its model after a step."""
    return folder / KEPT / f"step-{step:09d}" / "model"


def give_up_after(folder: Path, step: int) -> None:
    """Remove the models that were kept after `step`, of which one may be half written."""
    for later, kept in _by_step(folder).items():
        if later > step:
            shutil.rmtree(kept)


def hand_over(folder: Path, out: Path) -> None:
    """Put what was kept on the way into the artifact, without copying it."""
    if (folder / KEPT).exists():
        shutil.copytree(folder / KEPT, out / KEPT, copy_function=os.link)


def _by_step(folder: Path) -> Mapping[int, Path]:
    return {int(path.name.removeprefix("step-")): path for path in (folder / KEPT).glob("step-*")}
