"""The training loop: batches in the order of the sampler, held-out loss on the way, shares decided from it.

A killed training continues from its last checkpoint. Everything between two checkpoints is a pure function of the first
one, so what is done again comes out the same.
"""

import hashlib
import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import PreTrainedModel

from regraft.core import Context, Metrics, RegraftError
from regraft.corpus.tokens import TokenStore
from regraft.lm.load import load_model
from regraft.lm.loss import leak_self_test, sequence_loss
from regraft.mixture.guard import Verdict
from regraft.mixture.sampler import Sampler
from regraft.mixture.shares import Source, StreamKey
from regraft.training import checkpoint
from regraft.training.batch import Batch, make_batch
from regraft.training.export import export_model
from regraft.training.history import consumed_tokens
from regraft.training.ledger import Ledger
from regraft.training.optimizer import build_optimizer, optimizer_step
from regraft.training.pacing import Pacing
from regraft.training.preflight import check_budget, check_disjoint
from regraft.training.steering import Steering, start, steer
from regraft.training.streams import PackedStream, open_streams
from regraft.training.train import TrainConfig
from regraft.training.validation import Measured, Validation, open_validation, standard_error

SAMPLER = "sampler"
PACING = "pacing"
STEERING = "steering"
SAVING_SHARE = 20
"""Saving takes at most one part in so many of the time."""


def run_training(config: TrainConfig, ctx: Context) -> Metrics:
    """Train, write model and tables to `ctx.out` and return the figures of the manifest."""
    model = load_model(ctx.input("model").file("model"), device=ctx.execution.device)
    ctx.log.info("no leak between packed documents: %.1e nats", leak_self_test(model))
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    folders = [artifact.path for artifact in ctx.inputs["tokens"]]
    consumed = consumed_tokens(ctx.input("model")) if config.leave_out_consumed else {}
    if consumed:
        ctx.log.info("what earlier trainings consumed of %d documents is left out", len(consumed))
    streams = open_streams(folders, config.sequence_length, config.whole_sources, consumed, config.pacing)
    check_budget(config, ctx.log, {key: len(stream) for key, stream in streams.items()})
    check_disjoint(TokenStore.open(ctx.input("held_out").path).ids, streams)
    validation = open_validation(ctx.input("held_out").path, config.validation, config.precision)
    trainer = Trainer(
        config=config, ctx=ctx, model=model, streams=streams, validation=validation, num_left_out=len(consumed)
    )
    trainer.train()
    trainer.ledger.write(ctx.out)
    export_model(model, ctx.input("model").file("model"), ctx.out / "model")
    return trainer.metrics()


@dataclass(kw_only=True)
class Trainer:
    """One training from its start or its last checkpoint to its end."""

    config: TrainConfig
    ctx: Context
    model: PreTrainedModel
    streams: Mapping[StreamKey, PackedStream]
    validation: Validation
    num_left_out: int
    """Documents of which an earlier training of this model consumed a part."""
    ledger: Ledger = field(default_factory=Ledger)
    step: int = 0
    tokens: int = 0
    """Consumed, padding left out."""

    def __post_init__(self) -> None:
        self.optimizer = build_optimizer(self.config.optimizer, self.model)
        self.supply = {key: len(stream) for key, stream in self.streams.items()}
        self.sampler = Sampler(self.config.mixture, self.supply)
        self.pacing = Pacing(self.config.pacing, self.streams, self.validation)
        self.steering = Steering()
        self.num_noted = 0
        """Events of the sampler that the ledger has."""
        self.stopped = ""
        """Why the guard stopped the training; empty while it goes on."""
        self.saved, self.saving = time.monotonic(), 0.0

    def train(self) -> None:
        """Go from where things stand to the last step."""
        self._continue_or_start()
        self.model.train()
        with self.ctx.track("train", self.config.num_steps, "steps", self.step) as ticker:
            while self.step < self.config.num_steps and not self.stopped:
                loss, rate = self._train_step()
                ticker.advance(1, f"loss {loss:.3f}, {rate:,.0f} tokens/s")
                self._decide_and_save()

    def metrics(self) -> Metrics:
        """Return the figures of the manifest: totals, planned and served tokens by group and source."""
        config, served = self.config, Counter[str]()
        for row in self.ledger.served:
            served[row["stream"]] += row["stop"] - row["start"]
        by_source = Counter[tuple[str, str]]()
        for key in self.streams:
            if found := config.mixture.place(key):
                by_source[found[0].name, _label(found[1])] += served[str(key)]
        figures: dict[str, int | float | str] = {
            "steps": self.step,
            "tokens": self.tokens,
            "sequences": self.step * config.sequences_per_step,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "left_out_documents": self.num_left_out,
            "padding_tokens": self.step * config.tokens_per_step - self.tokens,
            "exhausted_streams": len({event.stream for event in self.sampler.events if event.what == "ended"}),
        }
        if self.stopped:
            figures["stopped"] = self.stopped
        for group in config.mixture.groups:
            total = config.num_steps * config.tokens_per_step * group.share
            figures[f"planned.{group.name}"] = round(total)
            figures[f"served.{group.name}"] = sum(by_source[group.name, _label(source)] for source in group.sources)
            for source in group.sources:
                figures[f"planned.{group.name}.{_label(source)}"] = round(total * source.share)
                figures[f"served.{group.name}.{_label(source)}"] = by_source[group.name, _label(source)]
        return figures

    def _continue_or_start(self) -> None:
        found = checkpoint.latest(self.ctx.scratch)
        if found is None:
            self._measure_and_steer(first=True)
            return
        checkpoint.restore(found, self.model, self.optimizer)
        self.ledger = Ledger.read(found.folder)
        self.step, self.tokens = found.step, found.state["tokens"]
        self.sampler = Sampler.restore(self.config.mixture, self.supply, found.state[SAMPLER])
        self.num_noted = len(self.sampler.events)
        self.pacing.load(found.state[PACING])
        self.steering = Steering.from_json(found.state[STEERING])
        self.ctx.log.info("continues after step %d of %d", self.step, self.config.num_steps)

    def _train_step(self) -> tuple[float, float]:
        """Take one optimizer step; return the mean loss of its tokens and tokens a second."""
        started = time.monotonic()
        served = self.pacing.place(self.sampler.next(self.config.sequences_per_step))
        batch = make_batch([(self.streams[key], number) for key, number in served], self.config.sequence_length)
        size = self.config.tokens_per_step
        rate = self.config.schedule.learning_rate((self.step + 1) * size, self.config.num_steps * size)
        loss = self._accumulate(batch)
        norm = optimizer_step(self.optimizer, self.model, rate, self.config.optimizer.clip_norm)
        self.step += 1
        self.tokens += batch.num_tokens
        self._check_finite(loss, norm, served)
        self._note_events()
        self._record(served, loss, rate, norm)
        seconds = time.monotonic() - started
        speed = batch.num_tokens / seconds
        self.ledger.times.append({"step": self.step, "seconds": seconds, "tokens_per_second": speed})
        return loss, speed

    def _accumulate(self, batch: Batch) -> float:
        device = torch.device(self.ctx.execution.device)
        num_predicted = max(1, batch.num_predicted)  # ends of streams may be one token each, which predicts nothing
        total = 0.0
        for number, part in enumerate(batch.split(self.config.sequences_per_batch)):
            torch.manual_seed(_seed(self.config.seed, self.step, number))  # dropout knows no other generator
            with torch.autocast(device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16"):
                loss = sequence_loss(
                    self.model, part.input_ids.to(device), part.position_ids.to(device), part.labels.to(device)
                )
            (loss / num_predicted).backward()
            total += float(loss.detach())
        return total / num_predicted

    def _check_finite(self, loss: float, norm: float, served: list[tuple[StreamKey, int]]) -> None:
        if math.isfinite(loss) and math.isfinite(norm):
            return
        documents = [piece[0] for key, number in served for piece in self.streams[key].named_pieces(number)]
        raise RegraftError(
            f"step {self.step}: loss {loss}, gradient norm {norm}. Lower the learning rate, train in float32, or look "
            f"at the documents of this step: {documents}."
        )

    def _note_events(self) -> None:
        for event in self.sampler.events[self.num_noted :]:
            self._note(event.stream, event.what, event.detail)
        self.num_noted = len(self.sampler.events)
        for key, event in self.pacing.events:
            self._note(str(key), event.what, event.detail)
        self.pacing.events = []

    def _note(self, stream: str, what: str, detail: str) -> None:
        self.ctx.log.info("%s %s: %s", stream or "training", what, detail)
        self.ledger.events.append({"step": self.step, "stream": stream, "what": what, "detail": detail})

    def _record(self, served: list[tuple[StreamKey, int]], loss: float, rate: float, norm: float) -> None:
        row = {"step": self.step, "tokens": self.tokens, "loss": loss, "learning_rate": rate, "gradient_norm": norm}
        self.ledger.steps.append(row)
        self.ledger.served += [
            {"step": self.step, "stream": str(key), "sequence": number, "id": id_, "start": start, "stop": stop}
            for key, number in served
            for id_, start, stop in self.streams[key].named_pieces(number)
        ]

    def _decide_and_save(self) -> None:
        last = self.step == self.config.num_steps
        if self.step in self.config.decision_steps:
            self._measure_and_steer()
        elif last:
            self._log_held_out(self.validation.measure(self.model))
        if not last and not self.stopped and self._is_time_to_save():
            self._save()

    def _measure_and_steer(self, first: bool = False) -> None:
        measured = self.validation.measure(self.model)
        self._log_held_out(measured)
        shares, ended = self.sampler.shares, self.sampler.ended
        if first:
            steered = start(self.config, shares, ended, measured)
        else:
            steered = steer(self.config, self.steering, shares, ended, measured)
        self.steering = steered.steering
        self.sampler.set_shares(steered.shares)
        self.pacing.observe(measured)
        self._note_events()
        effective = {str(key): share for key, share in self.sampler.effective_shares.items()}
        self.ledger.shares += [
            {"step": self.step, "effective_share": effective[row["stream"]], **row} for row in steered.rows
        ]
        if steered.verdict and steered.verdict.reason:
            self._heed(steered.verdict)

    def _heed(self, verdict: Verdict) -> None:
        self._note("", "stopped" if verdict.stop else "guarded", verdict.reason)
        self.stopped = verdict.reason if verdict.stop else ""

    def _log_held_out(self, measured: Mapping[StreamKey, Measured]) -> None:
        self.ledger.held_out += [
            {
                "step": self.step,
                "language": key.language,
                "source": key.source,
                "topic": key.topic,
                "loss": m.loss,
                "tokens": m.tokens,
                "documents": len(m.losses),
                "error": standard_error(m.losses, m.lengths),
            }
            for key, m in measured.items()
        ]

    def _save(self) -> None:
        state: dict[str, Any] = {
            "tokens": self.tokens,
            SAMPLER: self.sampler.state(),
            PACING: self.pacing.state(),
            STEERING: self.steering.to_json(),
        }
        started = time.monotonic()
        checkpoint.save(self.ctx.scratch, self.step, self.model, self.optimizer, state, self.ledger.write)
        self.saved, self.saving = time.monotonic(), time.monotonic() - started

    def _is_time_to_save(self) -> bool:
        """Checkpoints go by the clock: they are means, and change nothing of what is made."""
        seconds = self.ctx.execution.checkpoint_seconds
        return not seconds or time.monotonic() - self.saved >= max(seconds, SAVING_SHARE * self.saving)


def _label(source: Source) -> str:
    return f"{source.language}/{source.name}" if source.language else source.name


def _seed(seed: int, step: int, batch: int) -> int:
    """Return a number for each (seed, step, batch) that is fit for a generator of 64 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed} {step} {batch}".encode()).digest()[:8], "big") >> 1
