"""The training loop: batches in the order of the sampler, held-out loss on the way, shares decided from it.

A killed training continues from its last checkpoint. Everything between two checkpoints is a pure function of the first
one, so what is done again comes out the same. With several processes all of them run this loop; each computes its part
of a step, and decides from the same sums.
"""

import math
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from regraft.core import Context, Interrupted, Metrics, RegraftError
from regraft.corpus.tokens import TokenStore
from regraft.lm.architecture import architecture_of
from regraft.lm.load import check_sequence_length, context_length, load_model
from regraft.lm.loss import CausalLoss
from regraft.mixture.guard import Verdict
from regraft.mixture.sampler import MixtureExhausted, Sampler
from regraft.mixture.shares import StreamKey
from regraft.training.attention import choose_attention
from regraft.training.averaging import WeightAverage
from regraft.training.checkpoint import Checkpoint, Checkpoints
from regraft.training.compatibility import check_compatible
from regraft.training.compiled import as_they_are, compile_layers
from regraft.training.export import export_model
from regraft.training.figures import training_figures
from regraft.training.history import WHOLE, consumed_tokens
from regraft.training.journal import Journal, Served
from regraft.training.kept import give_up_after, hand_over, place_to_keep
from regraft.training.ledger import Ledger
from regraft.training.machine import peak_memory, this_machine
from regraft.training.optimizer import build_optimizer, clip, take_step
from regraft.training.pacing import Pacing
from regraft.training.parallel import Ranks, joined, layout_of, reshard, spread
from regraft.training.preflight import check_budget, check_disjoint, tell_packing
from regraft.training.safety import Watch
from regraft.training.signals import Stop
from regraft.training.steering import Steering, start, steer
from regraft.training.step import Stepper
from regraft.training.streams import PackedStream, open_streams
from regraft.training.tensors import training_tensors, whole_weights
from regraft.training.tracking import open_trackers
from regraft.training.train import TrainConfig
from regraft.training.trainable import parameter_counts
from regraft.training.validation import Measured, Validation, open_validation

SAVING_SHARE = 20
"""Saving takes at most one part in so many of the time."""


def run_training(config: TrainConfig, ctx: Context, stop: Stop) -> Metrics:
    """Train until the end or until `stop`, write model and tables to `ctx.out` and return the figures of the manifest.

    Raises:
        Interrupted: it was asked to end, and has saved what it needs to go on.
    """
    with joined(ctx.execution.device) as ranks:
        trainer = open_training(config, ctx, ranks, stop)
        trainer.train()
        if ranks.first:
            trainer.ledger.write(ctx.out)
            replace(trainer.machine, peak_memory_bytes=peak_memory(ranks.device)).write(ctx.out)
        with trainer.averaged():
            trainer.export(ctx.out / "model")
        if ranks.first:
            hand_over(ctx.scratch, ctx.out)
        return trainer.metrics()


def open_training(config: TrainConfig, ctx: Context, ranks: Ranks, stop: Stop) -> "Trainer":
    """Check all that can be checked before the first step, and return the training."""
    model = load_model(ctx.input("model").file("model"), device="cpu" if ranks.size > 1 else ctx.execution.device)
    check_sequence_length(model, config.sequence_length)
    check_compatible([*ctx.inputs["tokens"], ctx.input("held_out")], ctx.input("model"), ctx.log)
    choose_attention(model, ctx.execution.attention, ranks, ctx.log)
    config.trainable.prepare(model)
    if ctx.execution.recompute_activations:
        model.activation_checkpointing_enable()
    folders = [artifact.path for artifact in ctx.inputs["tokens"]]
    consumed = consumed_tokens(ctx.input("model")) if config.leave_out_consumed else {}
    if consumed:
        whole = sum(tokens == WHOLE for tokens in consumed.values())
        ctx.log.info(
            "what earlier trainings consumed of %d documents is left out, %d of them whole", len(consumed), whole
        )
    streams = open_streams(
        folders, config.sequence_length, config.whole_sources, consumed, config.pacing, config.packing
    )
    tell_packing(streams, ctx.log)
    check_budget(config, ctx.log, {key: len(stream) for key, stream in streams.items()})
    check_disjoint(TokenStore.open(ctx.input("held_out").path).ids, streams)
    held_out = ctx.input("held_out").path
    validation = open_validation(held_out, config.validation, config.precision, context_length(model))
    return Trainer(
        config=config,
        ctx=ctx,
        ranks=ranks,
        stop=stop,
        model=model,
        streams=streams,
        validation=validation,
        num_left_out=len(consumed),
    )


@dataclass(kw_only=True)
class Trainer:
    """One training from its start or its last checkpoint to its end."""

    config: TrainConfig
    ctx: Context
    ranks: Ranks
    stop: Stop
    model: PreTrainedModel
    streams: Mapping[StreamKey, PackedStream]
    validation: Validation
    num_left_out: int
    """Documents of which an earlier training of this model consumed a part."""
    step: int = 0
    tokens: int = 0
    """Consumed, padding left out."""
    skipped: int = 0
    """Steps that changed nothing, since their loss or gradient was not finite."""
    anchor: int = 0
    """Step of the checkpoint to roll back to; 0 before the first."""
    stopped: str = ""
    """Why the guard stopped the training; empty while it goes on."""
    num_noted: int = 0
    """Events of the sampler that the ledger has."""
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        execution = self.ctx.execution
        self.plan = self.config.plan
        layout = layout_of(execution.parallel, self.ranks)
        architecture = architecture_of(self.model)
        self.module = spread(CausalLoss(self.model), layout, self.ranks.device, self.config.precision)
        self.stepper = Stepper(
            config=self.config,
            execution=execution,
            ranks=self.ranks,
            module=self.module,
            autocast=self.config.precision == "bfloat16" and layout != "fsdp",
            streams=self.streams,
        )
        compile_layers(
            self.stepper.passes(self.model),
            execution.compile,
            execution.cache / "compiled",
            self.ctx.scratch / "compiled.json",
            self.ctx.log,
        )
        self.optimizer = build_optimizer(self.config.optimizer, self.model)
        self.average = WeightAverage(self.config.average, self.model, self.module) if self.config.average else None
        self.tensors = training_tensors(self.model, self.optimizer, self.average)
        self.supply = {key: len(stream) for key, stream in self.streams.items()}
        self.sampler = Sampler(self.config.mixture, self.supply)
        self.pacing = Pacing(self.config.pacing, self.streams, self.validation)
        self.steering = Steering()
        self.watch = Watch(self.config.safety)
        self.ledger = Ledger(self.ctx.scratch, writes=self.ranks.first)
        self.machine = this_machine(
            architecture,
            self.config.sequence_length,
            self.ranks.device,
            self.ranks.size,
            self.config.precision,
        )
        self.checkpoints = Checkpoints(scratch=self.ctx.scratch, ranks=self.ranks, log=self.ctx.log)
        self.decision_steps = frozenset(self.config.decision_steps)
        self.saved, self.saving = time.monotonic(), 0.0

    def train(self) -> None:
        """Go from where things stand to the last step."""
        found = self._continue()
        trackers = open_trackers(
            self.ctx.execution.trackers if self.ranks.first else (),
            self.ctx.execution.tracking,
            self.ctx.scratch.name,
            self.step + 1 if found else 0,
            self.ctx.log,
        )
        self.journal = Journal(ledger=self.ledger, trackers=trackers, log=self.ctx.log, machine=self.machine)
        with closing(trackers), closing(self.checkpoints):
            if not found:
                self._measure_and_steer(first=True)
            self.module.train()
            self.journal.begin()
            with self.ctx.track("train", self.plan.num_steps, "steps", self.step) as ticker:
                while self.step < self.plan.num_steps and not self.stopped:
                    before = self.step
                    note = self._train_step()
                    ticker.advance(self.step - before, note)

    def averaged(self) -> AbstractContextManager[None]:
        """Return a block inside of which the model has its mean weights, where it has any."""
        return self.average.applied() if self.average else nullcontext()

    def export(self, target: Path) -> None:
        """Write the model as it is now as a Transformers folder; every process calls this."""
        reshard(self.module)
        weights = whole_weights(self.model, self.ranks)
        if self.ranks.first:
            origin = self.ctx.input("model").file("model")
            export_model(self.model, origin, target, self.config.trainable.merged(weights))

    def metrics(self) -> Metrics:
        """Return the figures of the manifest."""
        return training_figures(self.config, self.ledger.served, self.streams) | {
            "steps": self.step,
            "tokens": self.tokens,
            "sequences": self.plan.tokens_before(self.step) // self.config.sequence_length,
            **parameter_counts(self.model),
            "left_out_documents": self.num_left_out,
            "padding_tokens": self.plan.tokens_before(self.step) - self.tokens,
            "exhausted_streams": len({event.stream for event in self.sampler.events if event.what == "ended"}),
            "skipped_steps": self.skipped,
            "rollbacks": self.watch.rollbacks,
            **({"stopped": self.stopped} if self.stopped else {}),
        }

    def _continue(self) -> bool:
        """Stand where the newest checkpoint stood; return whether there is one."""
        found = self.checkpoints.latest()
        self.ledger.cut(found.step if found else -1)
        if found:
            found.load(self.tensors)
            self._restore(found)
            self.ctx.log.info("continues after step %d of %d", self.step, self.plan.num_steps)
        elif self.ranks.first:
            give_up_after(self.ctx.scratch, -1)
        return bool(found)

    def _train_step(self) -> str:
        """Take one optimizer step and all that is due after it; return what to show of it."""
        try:
            served = self.pacing.place(self.sampler.next(self.plan.sequences_of(self.step)))
        except MixtureExhausted as error:
            return self._end_early(error)
        due = self.ranks.first and self._is_time_to_save()
        found = self.stepper.gradient(self.step, served, self.journal.clock, (self.stop.asked(), due))
        loss, (stop, save) = found.loss, found.agreed
        norm = clip(self.model, self.config.optimizer.clip_norm)
        consumed = self.plan.tokens_before(self.step + 1)
        rate = self.config.schedule.learning_rate(consumed, self.plan.tokens)
        finite = math.isfinite(loss) and math.isfinite(norm)
        if finite:
            take_step(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += found.tokens
        if finite and self.average:
            self.average.update(self.step, consumed)
        self.journal.clock.lap("optimizer")
        row = {"step": self.step, "tokens": self.tokens, "loss": loss, "learning_rate": rate, "gradient_norm": norm}
        told = self.journal.step(row, found.tokens)
        self.journal.served(self.step, served, self.streams)
        self._note_events()
        self.journal.clock.lap("logging")
        rolls_back = self.watch.see(loss, finite)
        if not finite:
            self._skip(loss, norm, served)
        if rolls_back:
            self._roll_back(loss)
        else:
            self._decide_and_save(stop, save)
        return told

    def _end_early(self, error: MixtureExhausted) -> str:
        """Stop since roll-backs passed over what the last steps would need; what is trained counts.

        Raises:
            MixtureExhausted: they passed over nothing, so that the data was too little from the start.
        """
        passed = self.sampler.count - self.plan.tokens_before(self.step) // self.config.sequence_length
        if not passed:
            raise error
        self.stopped = (
            f"{error} Roll-backs passed over {passed:,} sequences, which stand in skipped.parquet; "
            f"{self.plan.num_steps - self.step:,} of {self.plan.num_steps:,} steps are not made."
        )
        self._note("", "stopped", self.stopped)
        if self.step not in self.decision_steps:
            with self.averaged():
                self._measure()
        return "no data left"

    def _skip(self, loss: float, norm: float, served: Served) -> None:
        """Count and note a step that changed nothing.

        Raises:
            RegraftError: it is one too many on end.
        """
        self.skipped += 1
        ids = dict.fromkeys(piece[0] for key, number in served for piece in self.streams[key].named_pieces(number))
        what = f"loss {loss}, gradient norm {norm}; documents of this step: {list(ids)}"
        self._note("", "skipped", what)
        if self.watch.skipped > self.config.safety.max_skipped:
            raise RegraftError(
                f"step {self.step}: {what}. This is step {self.watch.skipped} on end without a finite gradient "
                f"(max_skipped is {self.config.safety.max_skipped}). Lower the learning rate, train in float32, or "
                "look at these documents."
            )

    def _roll_back(self, loss: float) -> None:
        """Load the anchor and go on with the data after the spike; the course since the anchor is given up.

        Raises:
            RegraftError: there was no anchor, or it is one roll-back too many.
        """
        spikes, rollbacks = self.config.safety.spikes, self.watch.rollbacks + 1
        assert spikes
        if not self.anchor or rollbacks > spikes.max_rollbacks:
            raise RegraftError(
                f"step {self.step}: the loss has jumped to {loss:.3f}, and {self.watch.rollbacks} roll-backs are all "
                "that are allowed. Lower the learning rate, or raise safety.spikes.max_rollbacks."
            )
        last, anchor = self.step, self.checkpoints.back_to(self.anchor)
        passed = self.ledger.roll_back(anchor.step)
        sampler, pacing, num_noted = self.sampler, self.pacing.state(), self.num_noted
        anchor.load(self.tensors)
        self._restore(anchor)
        shares = self.sampler.shares
        self.sampler, self.num_noted = sampler, num_noted  # where the data stands now, and at which pace it goes on
        self.pacing.load(pacing)
        self.sampler.set_shares(shares)
        self.watch.rollbacks = rollbacks
        ids = len({row["id"] for row in passed})
        self._note(
            "",
            "rolled_back",
            f"loss {loss:.3f} at step {last}: back to step {anchor.step}; what the steps after it served, of {ids} "
            "documents, is passed over and stands in skipped.parquet",
        )

    def _decide_and_save(self, stop: bool, save: bool) -> None:
        last = self.step == self.plan.num_steps
        if self.step in self.decision_steps:
            self._measure_and_steer()
        elif last:
            with self.averaged():
                self._measure()
        self.journal.clock.lap("evaluation")
        if self.config.keeps(self.step):
            with self.averaged():
                self.export(place_to_keep(self.ctx.scratch, self.step))
        if last or self.stopped:
            return
        spikes = self.config.safety.spikes
        is_anchor = bool(spikes and spikes.is_anchor(self.step) and not self.watch.spiking)
        if is_anchor:
            self.anchor = self.step
            self.checkpoints.keep = {self.step}
        if stop or save or is_anchor:
            self._save()
        self.journal.clock.lap("checkpoint")
        if stop:
            self.checkpoints.wait()
            raise Interrupted(f"stopped after step {self.step} of {self.plan.num_steps}, which is saved")

    def _measure_and_steer(self, first: bool = False) -> None:
        measured = self._measure()
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
        self.journal.shares(self.step, steered.rows, effective)
        if steered.verdict and steered.verdict.reason:
            self._heed(steered.verdict)

    def _heed(self, verdict: Verdict) -> None:
        self._note("", "stopped" if verdict.stop else "guarded", verdict.reason)
        self.stopped = verdict.reason if verdict.stop else ""

    def _measure(self) -> Mapping[StreamKey, Measured]:
        """Measure the held-out loss, tell it and return it."""
        with as_they_are():
            measured = self.validation.measure(self.module, self.ranks)
        reshard(self.module)
        self.journal.held_out(self.step, measured)
        return measured

    def _note_events(self) -> None:
        for event in self.sampler.events[self.num_noted :]:
            self._note(event.stream, event.what, event.detail)
        self.num_noted = len(self.sampler.events)
        for key, event in self.pacing.events:
            self._note(str(key), event.what, event.detail)
        self.pacing.events = []

    def _note(self, stream: str, what: str, detail: str) -> None:
        self.journal.note(self.step, stream, what, detail)

    def _save(self) -> None:
        started = time.monotonic()
        if self.ranks.first:
            self.ledger.flush(self.step)
        self.checkpoints.save(self.step, self.tensors, self._state())
        self.saved, self.saving = time.monotonic(), time.monotonic() - started

    def _is_time_to_save(self) -> bool:
        """Checkpoints go by the clock: they are means, and change nothing of what is made."""
        seconds = self.ctx.execution.checkpoint_seconds
        if not seconds:
            return True
        return not self.checkpoints.busy and time.monotonic() - self.saved >= max(seconds, SAVING_SHARE * self.saving)

    def _state(self) -> dict[str, Any]:
        return {
            "tokens": self.tokens,
            "skipped": self.skipped,
            "anchor": self.anchor,
            "served": dict(self.ledger.served),
            "sampler": self.sampler.state(),
            "pacing": self.pacing.state(),
            "steering": self.steering.to_json(),
            "watch": self.watch.state(),
        }

    def _restore(self, found: Checkpoint) -> None:
        """Stand where all but the tensors stood after the step of a checkpoint."""
        state = found.state
        self.step, self.tokens, self.skipped, self.anchor = (
            found.step,
            *(state[name] for name in ("tokens", "skipped", "anchor")),
        )
        self.ledger.served = Counter(state["served"])
        self.sampler = Sampler.restore(self.config.mixture, self.supply, state["sampler"])
        self.num_noted = len(self.sampler.events)
        self.pacing.load(state["pacing"])
        self.steering = Steering.from_json(state["steering"])
        self.watch = Watch(self.config.safety, **state["watch"])
        self.checkpoints.keep = {self.anchor} if self.anchor else set()
        if self.ranks.first:
            give_up_after(self.ctx.scratch, self.step)
