"""Estimates of the trainings of a plan: of those whose model is at hand as a folder before anything has run."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from regraft.core import Action, ConfigError, Execution, Planned, Step, Store
from regraft.lm.architecture import read_architecture
from regraft.lm.backbone import BackboneConfig
from regraft.training.estimates.accelerators import GIB
from regraft.training.estimates.command import accelerator_of
from regraft.training.estimates.estimate import Estimate, check_fits, estimate
from regraft.training.estimates.setup import Setup
from regraft.training.train import TrainConfig

PROCESSES, NODES = ("--nproc-per-node", "--nproc_per_node"), ("--nnodes",)


def estimate_lines(planned: Sequence[Planned], store: Store, execution: Execution, accelerator: str) -> Iterator[str]:
    """Yield a line for each training that would be made and whose model is known.

    A model is known when its artifact is in the store, or is to be made from a local folder.

    Args:
        planned: all steps of the plan.
        store: where artifacts are.
        execution: by what means the trainings would run.
        accelerator: short name of a published one, or `cpu`, which is measured.

    Raises:
        ConfigError: a training does not fit; the message says what would.
    """
    for item, found in estimates(planned, store, execution, accelerator):
        try:
            check_fits(found)
        except ConfigError as error:
            error.add_note(f"in the step {item.step.name}")
            raise
        yield f"{item.step.name}: {_sentence(found, item.config.tokens)}"


def estimates(
    planned: Sequence[Planned], store: Store, execution: Execution, accelerator: str
) -> Iterator[tuple[Planned, Estimate]]:
    """Yield the trainings that would be made, each with its estimate; see `estimate_lines`."""
    by_step = {item.step: item for item in planned}
    of_precision = cache(partial(accelerator_of, accelerator))
    for item in planned:
        if not isinstance(item.config, TrainConfig) or item.action is Action.REUSE:
            continue
        if folder := _model_folder(item, by_step, store):
            setup = setup_of(item.config, execution)
            yield item, estimate(read_architecture(folder), setup, of_precision(setup.precision))


def _sentence(found: Estimate, tokens: int) -> str:
    memory, have = found.memory.total / GIB, found.accelerator.memory_bytes / GIB
    return (
        f"about {memory:,.1f} of {have:,.1f} GiB in each of {found.setup.num_ranks} processes, "
        f"{found.step_seconds:,.2f} s a step, {found.tokens_per_second:,.0f} tokens/s, "
        f"{found.accelerator_hours(tokens):,.2f} {found.accelerator.name}-hours at MFU {found.mfu:.2f}"
    )


def setup_of(config: TrainConfig, execution: Execution) -> Setup:
    """Return the setup of a training under some means."""
    ranks = num_ranks(execution.launcher)
    sharded = execution.parallel == "fsdp" or (execution.parallel == "auto" and execution.device != "cpu")
    return Setup(
        sequence_length=config.sequence_length,
        sequences_per_batch=execution.sequences_per_batch,
        sequences_per_step=config.sequences_per_step,
        num_ranks=ranks,
        layout="whole" if ranks == 1 else "fsdp" if sharded else "ddp",
        precision=config.precision,
        recompute_activations=execution.recompute_activations,
    )


def num_ranks(launcher: str) -> int:
    """Return how many processes a launcher starts, one without a launcher.

    Raises:
        ConfigError: it does not say so in numbers.
    """
    if not launcher:
        return 1
    words = [part for word in shlex.split(launcher) for part in word.split("=", 1)]
    given = dict(pairwise(words))
    processes = next((given[name] for name in PROCESSES if name in given), "1")
    nodes = next((given[name] for name in NODES if name in given), "1")
    if not (processes.isdigit() and nodes.isdigit()):
        raise ConfigError(f"How many processes does {launcher!r} start? Give --nproc-per-node and --nnodes as numbers.")
    return int(processes) * int(nodes)


def _model_folder(item: Planned, by_step: Mapping[Step[Any], Planned], store: Store) -> Path | None:
    """Follow the input `model` back to where there is a config.json; training changes no architecture."""
    for origin in (by_step[step] for step in item.step.inputs.get("model", ())):
        if origin.action is Action.REUSE:
            return store.path(origin.id) / "model"
        if isinstance(origin.config, BackboneConfig):
            configs = (path for file, path in origin.located.items() if file.name == "config.json")
            return next((path.parent for path in configs), None)
        return _model_folder(origin, by_step, store)
    return None
