"""The processes of a training, and how they share a model: one process, DDP, or FSDP2.

A launcher such as torchrun starts the processes and says in the environment who is who. All of them run the same loop
over the same order of sequences; each computes its part of a step, and what is decided is decided from sums, so that
all decide alike.
"""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from regraft.core import ConfigError
from regraft.lm.architecture import decoder_layers
from regraft.lm.loss import CausalLoss, Precision

T = TypeVar("T")
Layout = Literal["whole", "ddp", "fsdp"]
"""How a model lies in the processes: in the only one, in each of them, a part in each."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those of a training."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and tells."""
        return self.rank == 0

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return the sums of `values` over all processes, in float64; every process gets the same."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return total.tolist()

    def share(self, items: Sequence[T]) -> list[T]:
        """Return every `size`-th item for this process; the last item fills up, so that all have equally many."""
        filled = [*items, *[items[-1]] * (-len(items) % self.size)] if items else []
        return filled[self.rank :: self.size]

    def gather(self, mine: Sequence[T], count: int) -> list[T]:
        """Return the results for `count` items of `share` in the order of the items, without those that fill up."""
        if self.size == 1:
            return list(mine)
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, list(mine))
        return [found[number % self.size][number // self.size] for number in range(count)]

    def wait(self) -> None:
        """Return once every process is here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def joined(device: str) -> Generator[Ranks]:
    """Join the other processes of the launcher, if there are any, and leave them at the end.

    Raises:
        ConfigError: more processes than accelerators on this machine.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks(0, 1, torch.device(device))
        return
    place = _local_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), size, place)
    finally:
        dist.destroy_process_group()


def _local_device(device: str) -> torch.device:
    kind = torch.device(device).type
    if kind != "cuda":
        return torch.device(kind)
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if local >= torch.cuda.device_count():
        raise ConfigError(
            f"Process {local} of this machine has no accelerator of its own; there are {torch.cuda.device_count()}. "
            "Start at most as many (--nproc-per-node)."
        )
    torch.cuda.set_device(local)
    return torch.device(kind, local)


def layout_of(parallel: Literal["auto", "ddp", "fsdp"], ranks: Ranks) -> Layout:
    """Return how the model is to lie in the processes; `auto` shards on accelerators and replicates on CPUs."""
    if ranks.size == 1:
        return "whole"
    if parallel == "auto":
        return "fsdp" if ranks.device.type == "cuda" else "ddp"
    return parallel


def spread(objective: CausalLoss, layout: Layout, device: torch.device, precision: Precision) -> torch.nn.Module:
    """Return the module to call in place of `objective`, its parameters laid out over the processes, on `device`.

    Under FSDP2 each layer is a unit of its own; matrix products are in `precision`, masters and sums of gradients in
    fp32. Parameters keep their names, which is what checkpoints go by.
    """
    if layout != "fsdp":  # which moves parameters layer by layer, so that the whole need not fit
        objective.to(device)
    if layout == "ddp":
        return DistributedDataParallel(objective, broadcast_buffers=False, gradient_as_bucket_view=True)
    if layout == "fsdp":
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
        for layer in decoder_layers(objective.model):
            fully_shard(layer, mp_policy=policy)
        fully_shard(objective, mp_policy=policy)
    return objective


@contextmanager
def accumulating(module: torch.nn.Module, last: bool) -> Generator[None]:
    """Inside the block a backward pass under DDP sums gradients over processes only if it is the last of its step.

    FSDP2 sums after each one: else every process would hold the whole gradient in fp32, 30 GiB for 8 B parameters.
    """
    if isinstance(module, DistributedDataParallel) and not last:
        with module.no_sync():
            yield
    else:
        yield


def reshard(module: torch.nn.Module) -> None:
    """Give up the whole parameters that FSDP2 keeps after a forward pass alone; every process calls it.

    Else one process that looks at its weights would gather them alone.
    """
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.reshard()


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor with all its parts, on every process."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
