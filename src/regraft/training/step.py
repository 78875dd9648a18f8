"""The gradient of one optimizer step: each process computes its part of the sequences, in batches that fit."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from regraft.core import Execution
from regraft.mixture.shares import StreamKey
from regraft.training.batch import Batch, make_batch, num_predicted
from regraft.training.compiled import Passes
from regraft.training.journal import Served
from regraft.training.parallel import Ranks, accumulating
from regraft.training.streams import PackedStream
from regraft.training.throughput import StepClock
from regraft.training.train import TrainConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradient:
    """What a step knows of the gradient that it left on the parameters: the same in every process."""

    loss: float
    """Mean over the tokens that are predicted."""
    tokens: int
    """Consumed by all processes, padding left out."""
    agreed: tuple[bool, ...]
    """For each question that was put, whether any process says yes to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepper:
    """Computes gradients, step after step."""

    config: TrainConfig
    execution: Execution
    ranks: Ranks
    module: torch.nn.Module
    """A `CausalLoss`, wrapped or not, on its device."""
    autocast: bool
    streams: Mapping[StreamKey, PackedStream]

    def gradient(self, step: int, served: Served, clock: StepClock, ask: Sequence[bool] = ()) -> Gradient:
        """Leave the gradient of the mean loss of what step `step` (from 0) is served.

        The gradient of each process is that of its share of the step times their number: they are averaged. What is to
        be agreed on travels with the sum of the losses, so that it costs no message of its own.
        """
        predicted = max(1, num_predicted(self.streams, served))
        batch = make_batch(self.streams, self._mine(served), self.config.sequence_length)
        clock.lap("data")
        total = self._accumulate(step, batch, self.ranks.size / predicted)
        total, tokens, *said = self.ranks.sum([total, batch.num_tokens, *ask])
        clock.lap("forward_backward")
        return Gradient(loss=total / predicted, tokens=int(tokens), agreed=tuple(yes > 0 for yes in said))

    def passes(self, model: PreTrainedModel) -> Passes:
        """Return what this process does over and over: its batches of a full step."""
        each = -(-self.config.sequences_per_step // self.ranks.size)
        rows = min(each, self.execution.sequences_per_batch)
        return Passes(
            module=self.module,
            model=model,
            shape=(rows, self.config.sequence_length),
            count=self.config.plan.num_steps * -(-each // rows),
            ranks=self.ranks,
            autocast=self.autocast,
            precision=self.config.precision,
        )

    def _mine(self, served: Served) -> Sequence[tuple[StreamKey, int] | None]:
        """Return this process's sequences; None fills up, so that all processes have equally many."""
        each = -(-len(served) // self.ranks.size)
        mine = served[self.ranks.rank * each : (self.ranks.rank + 1) * each]
        return [*mine, *[None] * (each - len(mine))]

    def _accumulate(self, step: int, batch: Batch, scale: float) -> float:
        """Add the gradient of `scale` times the summed loss of a batch; return the sum."""
        device = self.ranks.device
        parts = batch.split(self.execution.sequences_per_batch)
        losses: list[torch.Tensor] = []
        for number, part in enumerate(parts, start=1):
            torch.manual_seed(_seed(self.config.seed, step, self.ranks.rank, number))  # for dropout
            with accumulating(self.module, last=number == len(parts)):
                with torch.autocast(device.type, torch.bfloat16, enabled=self.autocast):
                    loss = self.module(part.input_ids.to(device), part.position_ids.to(device), part.labels.to(device))
                (loss * scale).backward()
            losses.append(loss.detach())  # read at the end: reading waits for the accelerator
        return sum(map(float, losses))


def _seed(*numbers: int) -> int:
    """Return a number for seed, step, process and batch that is fit for a generator of 64 bits."""
    text = " ".join(map(str, numbers))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
