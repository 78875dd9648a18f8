"""Merge checkpoints into one model: soups, interpolation with the model they come from, a merge in place of a decay."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from regraft.core import Artifact, ConfigError, Context, Kind, Metrics, many, optional, stage
from regraft.training.merging.weights import Greedy, Member, Uniform, Weighting

Method = Weighting | Greedy


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeConfig:
    """Which checkpoints count how much. None of it is in the paper."""

    method: Method = field(default_factory=Uniform)
    last: int = 1
    """Of each training so many of its last checkpoints, the final model included; 0 for all that it kept."""
    base_share: float = 0.0
    """Weight of the input `base`; the merge of the others has the rest."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the weights that are written; sums are in float64."""

    def __post_init__(self) -> None:
        if self.last < 0:
            raise ConfigError(f"last is {self.last}; give a number of checkpoints, or 0 for all.")
        if not 0 <= self.base_share < 1:
            raise ConfigError(f"base_share is {self.base_share}; give a share from 0 to below 1.")


@stage(
    version=1,
    makes=Kind.CHECKPOINT,
    models=many(Kind.CHECKPOINT),
    base=optional(Kind.CHECKPOINT),
    held_out=optional(Kind.TOKENS),
)
def merge_models(config: MergeConfig, ctx: Context) -> Metrics:
    """Write the weighted mean of checkpoints to `model/`, with the tokenizer that all of them share.

    Tied weights stay tied. Memory: one tensor of each model at a time and a part of the file that is written.

    Raises:
        ConfigError: an input is missing or has no use, or the weighting does not fit the checkpoints.
        RegraftError: checkpoints differ in architecture, tensors or tokenizer.
    """
    from regraft.training.merging.soup import write_soup

    base, held_out = ctx.optional("base"), ctx.optional("held_out")
    if (base is None) != (config.base_share == 0):
        raise ConfigError(f"base_share is {config.base_share}: a share and the input `base` belong together.")
    if (held_out is None) == isinstance(config.method, Greedy):
        raise ConfigError(f"method is {config.method}: Greedy and the input `held_out` belong together.")
    members = [member for artifact in ctx.inputs["models"] for member in members_of(artifact, config.last)]
    weights, figures = _weigh(config.method, members, held_out, ctx)
    if base:
        members = [*members_of(base, 1), *members]
        weights = (config.base_share, *(weight * (1 - config.base_share) for weight in weights))
    if twice := {m.name for m in members if members.count(m) > 1}:
        raise ConfigError(f"{sorted(twice)} are given twice; weigh a checkpoint with Weighted instead.")
    used = [(member, weight) for member, weight in zip(members, weights, strict=True) if weight]
    for member, weight in used:
        ctx.log.info("%.4f x %s", weight, member.name)
    num_parameters = write_soup([m.folder for m, _ in used], [w for _, w in used], ctx.out / "model", config.dtype)
    shares = {f"weight.{member.name}": weight for member, weight in zip(members, weights, strict=True)}
    return {"members": len(used), "parameters": num_parameters, "dtype": config.dtype, **shares, **figures}


def members_of(artifact: Artifact, last: int) -> list[Member]:
    """Return the last checkpoints of an artifact, oldest first: those kept on the way, then the final model.

    A checkpoint kept at the last step is the final model and counts once.
    """
    final = Member(
        name=artifact.id,
        run=artifact.id,
        step=int(artifact.manifest.metrics.get("steps") or 0),
        folder=artifact.file("model"),
    )
    kept = [
        Member(name=f"{artifact.id}/{folder.name}", run=artifact.id, step=_step(folder.name), folder=folder / "model")
        for folder in sorted((artifact.path / "kept").glob("step-*"))
    ]
    return [*(member for member in kept if member.step != final.step), final][-last:]


def _weigh(
    method: Method, members: list[Member], held_out: Artifact | None, ctx: Context
) -> tuple[tuple[float, ...], Mapping[str, float]]:
    if isinstance(method, Greedy):
        from regraft.training.merging.greedy import greedy_weights

        assert held_out is not None
        return greedy_weights(method, members, held_out.path, ctx)
    return method.weights(members), {}


def _step(name: str) -> int:
    return int(name.removeprefix("step-"))
