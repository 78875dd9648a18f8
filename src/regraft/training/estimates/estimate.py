"""What a training would need: memory of each process, time of a step, accelerator-hours of a budget."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from regraft.core import ConfigError
from regraft.lm.architecture import Architecture
from regraft.training.estimates.accelerators import GIB, Accelerator
from regraft.training.estimates.memory import Memory, memory_of
from regraft.training.estimates.setup import Setup

RESERVE_BYTES = 2 * GIB
"""Of an accelerator, for its context and the buffers of communication. Not in the paper; not measured yet."""
RESERVE_SHARE = 0.05
"""Of an accelerator's memory, for fragments. Not in the paper; not measured yet."""
OPTIMIZER_BYTES = 28
"""That AdamW moves for each parameter: master, gradient and two moments read, all but the gradient written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Memory and time of a training on one kind of accelerator."""

    architecture: Architecture
    setup: Setup
    accelerator: Accelerator
    memory: Memory
    compute_seconds: float
    """Of a step, in matrix products."""
    communication_seconds: float
    """Of a step, at full bandwidth; hidden behind the products as far as these last."""
    optimizer_seconds: float
    """Of a step, at full memory bandwidth."""

    @property
    def fits(self) -> bool:
        return self.memory.total <= self.accelerator.memory_bytes

    @property
    def step_seconds(self) -> float:
        return max(self.compute_seconds, self.communication_seconds) + self.optimizer_seconds

    @property
    def tokens_per_second(self) -> float:
        return self.setup.tokens_per_step / self.step_seconds

    @property
    def mfu(self) -> float:
        """Model FLOP utilisation that follows; below the assumed one where something else takes time."""
        flops = self.architecture.training_flops(self.setup.sequence_length) * self.tokens_per_second
        return flops / (self.setup.num_ranks * self.accelerator.peak_flops)

    def seconds(self, tokens: float) -> float:
        """Return the time of a budget without evaluation, checkpoints and waits."""
        return tokens / self.tokens_per_second

    def accelerator_hours(self, tokens: float) -> float:
        return self.seconds(tokens) * self.setup.num_ranks / 3600


def estimate(architecture: Architecture, setup: Setup, accelerator: Accelerator) -> Estimate:
    """Return what a training of `architecture` needs; a pure function of sizes.

    The time of a step is that of its operations at the assumed share of the peak, with a second forward pass where
    activations are recomputed, and never less than that of its communication.

    Raises:
        ConfigError: sequences are longer than the model's context.
    """
    if setup.sequence_length > architecture.context:
        raise ConfigError(
            f"sequence_length is {setup.sequence_length}; {architecture.name} was made for {architecture.context}."
        )
    reserve = round(RESERVE_BYTES + RESERVE_SHARE * accelerator.memory_bytes)
    return Estimate(
        architecture=architecture,
        setup=setup,
        accelerator=accelerator,
        memory=memory_of(architecture, setup, reserve),
        compute_seconds=_compute_seconds(architecture, setup, accelerator),
        communication_seconds=_communicated(architecture, setup) / _bandwidth(setup, accelerator),
        optimizer_seconds=OPTIMIZER_BYTES
        * architecture.trainable_parameters
        / setup.shards
        / accelerator.memory_bandwidth,
    )


def check_fits(found: Estimate) -> None:
    """Return if the training fits its accelerator.

    Raises:
        ConfigError: it does not; the message has the largest parts and what to change, each tried.
    """
    if found.fits:
        return
    have, need = found.accelerator.memory_bytes / GIB, found.memory.total / GIB
    ways = (f"{what}: {other.memory.total / GIB:,.1f} GiB" for what, other in _alternatives(found) if other.fits)
    advice = "; ".join(islice(ways, 2)) or "none of what was tried; take a larger accelerator or shorter sequences"
    raise ConfigError(
        f"{found.architecture.name} needs {need:,.1f} GiB in each process; {found.accelerator.name} has {have:,.1f}. "
        f"What would fit: {advice}."
    )


def _alternatives(found: Estimate) -> Iterator[tuple[str, Estimate]]:
    """Yield what could be changed, one at a time and then together, the cheapest first."""
    one: dict[str, Any] = {"sequences_per_batch": 1}
    again: dict[str, Any] = {"recompute_activations": True}
    changes = [("one sequence at a time", one), ("activations recomputed", again), ("both", one | again)]
    if found.setup.layout == "ddp":
        changes.append(("the model sharded (fsdp)", {"layout": "fsdp"}))
    for ranks in (found.setup.num_ranks * 2**doubled for doubled in range(1, 6)):
        sharded = {"num_ranks": ranks, "layout": "fsdp", **one, **again}
        changes.append((f"{ranks} processes, sharded, one sequence at a time, activations recomputed", sharded))
    tried = [found.setup]
    for what, change in changes:
        other = replace(found.setup, **change)
        if other not in tried:
            tried.append(other)
            yield what, estimate(found.architecture, other, found.accelerator)


def _compute_seconds(architecture: Architecture, setup: Setup, accelerator: Accelerator) -> float:
    flops = architecture.training_flops(setup.sequence_length)
    if setup.recompute_activations:
        flops += architecture.forward_flops(setup.sequence_length)
    tokens = setup.batches_per_step * setup.sequences_per_batch * setup.sequence_length  # of the fullest process
    return tokens * flops / (setup.assumed_mfu * accelerator.peak_flops)


def _communicated(architecture: Architecture, setup: Setup) -> float:
    """Return the bytes that a process sends in a step, by ring algorithms.

    DDP sums gradients in fp32, which passes them twice. FSDP2 gathers weights in each forward and backward pass and
    scatters the sums of gradients in fp32, batch by batch.
    """
    passed = (setup.num_ranks - 1) / setup.num_ranks
    gradients = 4 * architecture.trainable_parameters
    if setup.layout == "fsdp":
        gathered = 2 * setup.batches_per_step * setup.width * architecture.parameters
        return passed * (gathered + setup.batches_per_step * gradients)
    return passed * 2 * gradients


def _bandwidth(setup: Setup, accelerator: Accelerator) -> float:
    if setup.num_ranks <= setup.ranks_per_node:
        return accelerator.link_bandwidth
    return min(accelerator.link_bandwidth, setup.network_bandwidth)
