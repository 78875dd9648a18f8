"""A model that a training kept on its way, as a checkpoint of its own: to decay from it again, or to evaluate it."""

import shutil
from dataclasses import dataclass

from regraft.core import ConfigError, Context, Kind, Metrics, stage


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptConfig:
    """Which of the models that a training kept (`TrainConfig.keep_every`)."""

    step: int
    """After which it was kept."""


@stage(version=1, makes=Kind.CHECKPOINT, model=Kind.CHECKPOINT)
def take_kept(config: KeptConfig, ctx: Context) -> Metrics:
    """Write the model that a training kept after a step to `model/`.

    It has no optimizer state: a training that starts from it begins with new moments. What the whole training
    consumed counts as consumed, that after the step included.

    Raises:
        ConfigError: the training kept none after that step.
    """
    kept = {int(path.name.removeprefix("step-")): path for path in (ctx.input("model").path / "kept").glob("step-*")}
    if config.step not in kept:
        raise ConfigError(f"{ctx.input('model').id} kept no model after step {config.step}; it kept {sorted(kept)}.")
    shutil.copytree(kept[config.step] / "model", ctx.out / "model")
    return {"step": config.step}
