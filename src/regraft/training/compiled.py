"""Decoder layers that are compiled where a trial shows that it pays; all else runs as it is.

The repeated layer is compiled once for all of its repetitions, in place: parameters keep their names, and what wraps a
layer (recomputing, DDP, FSDP2) wraps it as before. Sums come out in another order than without, so a training has to
be compiled from its start to its end or not at all. That is why what was decided is kept for when a training goes on.
A trial is kept beside the kernels, so that what is run again on this machine decides by the same figures.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from regraft.lm.loss import IGNORED
from regraft.training.parallel import Ranks, decoder_layers

FEWEST_PASSES = 50
"""A trial takes some ten passes, compiling included; it is not worth it for a training of fewer. Not in the paper."""
SHORTEST_S = 120.0
"""A training of fewer seconds is not tried either: compiling alone takes a quarter of that. Not in the paper."""
TIMED = 3
"""Passes of a trial that are timed, each way, after a first one; the fastest counts."""
LOSS_TOLERANCE = {"float32": 1e-5, "bfloat16": 5e-3}
GRADIENT_TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2}
"""Relative. Rounding gives less, a wrong kernel far more. Not in the paper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What some passes forward and backward found, without compiling and with it."""

    plain_seconds: float
    """Of a pass."""
    compiled_seconds: float
    compiling_seconds: float
    """Of the first compiled pass, beyond the others. None of it when the kernels were there already."""
    loss_difference: float
    """Relative."""
    gradient_difference: float
    """Length of the difference over the length of the gradient, in the first layer that is trained; where none is, in
    all that is."""

    @staticmethod
    def read(kept: Path) -> "Trial | None":
        """Return the trial in a file; None where there is none, or one of another version."""
        try:
            return Trial(**_read(kept))
        except TypeError:
            return None

    def agrees(self, precision: str) -> bool:
        """Say whether both ways compute the same but for rounding; NaN does not."""
        loss_agrees = self.loss_difference <= LOSS_TOLERANCE[precision]
        return loss_agrees and self.gradient_difference <= GRADIENT_TOLERANCE[precision]

    def saves(self, passes: int) -> float:
        """Return the seconds that compiling saves in a training of so many passes."""
        return passes * (self.plain_seconds - self.compiled_seconds) - self.compiling_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileReport:
    """Whether the layers are compiled, and why."""

    compiled: bool
    reason: str
    trial: Trial | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """Passes forward and backward of a training that all look alike."""

    module: torch.nn.Module
    """A `CausalLoss`, wrapped or not, on its device."""
    model: PreTrainedModel
    """The model inside."""
    shape: tuple[int, int]
    """Sequences and tokens of each."""
    count: int
    """In the whole training, what is done already included."""
    ranks: Ranks
    autocast: bool
    precision: Literal["float32", "bfloat16"]

    def take(self) -> tuple[float, torch.Tensor, float]:
        """Return the loss, the gradient of one layer and the seconds of a pass; leave no gradient.

        On a CPU, which others may use too, seconds are of processor time for each thread.
        """
        batch = self._batch()
        start = self._clock()
        with torch.autocast(self.ranks.device.type, torch.bfloat16, enabled=self.autocast):
            loss = self.module(*batch)
        (loss / self._num_tokens).backward()
        gradient = self._gradient()
        seconds = self._clock() - start
        self.module.zero_grad(set_to_none=True)
        return float(loss.detach()), gradient, seconds

    def _gradient(self) -> torch.Tensor:
        """Return this process's part of the gradient of the first layer that is trained, which it reaches last."""
        for part in (*decoder_layers(self.model), self.model):
            if found := [p.grad for p in part.parameters() if p.grad is not None]:
                local = [g.to_local() if isinstance(g, DTensor) else g for g in found]
                return torch.cat([g.flatten().float() for g in local]).cpu()
        return torch.zeros(0)

    @property
    def _num_tokens(self) -> int:
        return self.shape[0] * self.shape[1]

    def _clock(self) -> float:
        if self.ranks.device.type != "cuda":
            return time.process_time() / torch.get_num_threads()
        torch.cuda.synchronize(self.ranks.device)
        return time.perf_counter()

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return rows of random tokens, two documents in each."""
        rows, length = self.shape
        vocabulary = self.model.config.get_text_config().vocab_size
        ids = torch.randint(vocabulary, (rows, length + 1), generator=torch.Generator().manual_seed(0))
        half = length // 2
        positions = torch.cat([torch.arange(half), torch.arange(length - half)]).repeat(rows, 1)
        labels = ids[:, 1:].clone()
        labels[:, max(0, half - 1)] = IGNORED
        device = self.ranks.device
        return ids[:, :-1].to(device), positions.to(device), labels.to(device)


def compile_layers(
    passes: Passes, mode: Literal["auto", "on", "off"], cache: Path, kept: Path, log: logging.Logger
) -> CompileReport:
    """Compile the repeated layers of a model in place if that is asked for, or pays, and say so in one line.

    Every process calls this, after the model is laid out and before the first step; all of them decide alike. A
    machine on which nothing can be compiled trains as it is, with one warning.

    Args:
        passes: what the training will do over and over.
        mode: `on` compiles unless it fails or computes something else, `auto` if it also saves time.
        cache: folder that keeps kernels and trials from run to run.
        kept: file that keeps what was decided, for when this training goes on.
        log: told what was decided.
    """
    if mode == "off":
        return CompileReport(compiled=False, reason="off")
    place = f"{mode} {_key(passes)}"
    before = _decided(passes.ranks, kept, place)
    if before is None:
        report = _decide(passes, mode, cache)
    else:
        report = CompileReport(compiled=before, reason="as they were when this training began")
    if report.compiled:
        _compile(passes.model, cache)
    else:
        _restore(passes.model)
    if passes.ranks.first:
        _write(kept, {"place": place, "compiled": report.compiled})
    level = logging.INFO if report.compiled or report.trial or mode == "auto" else logging.WARNING
    log.log(level, "layers are %scompiled: %s", "" if report.compiled else "not ", report.reason)
    return report


@contextmanager
def as_they_are() -> Generator[None]:
    """Inside the block compiled layers run uncompiled: for evaluation, whose shapes differ from batch to batch."""
    with torch.compiler.set_stance("force_eager"):
        yield


def _decided(ranks: Ranks, kept: Path, place: str) -> bool | None:
    """Return what the first process finds decided for a training at `place`, None where it finds nothing."""
    found = _read(kept) if ranks.first else {}
    known = found.get("place") == place
    told = ranks.sum([float(known), float(known and found.get("compiled") is True)])
    return bool(told[1]) if told[0] else None


def _decide(passes: Passes, mode: str, cache: Path) -> CompileReport:
    if mode == "auto" and passes.count < FEWEST_PASSES:
        return CompileReport(compiled=False, reason=f"{passes.count} batches are too few to try whether it pays")
    kept = cache / "trials" / f"{_key(passes)}.json"
    trial, failure = Trial.read(kept), ""
    if not _all(passes.ranks, trial is not None):
        trial, failure = _try(passes, mode, cache)
    if not _all(passes.ranks, trial is not None) or trial is None:
        return CompileReport(compiled=False, reason=failure or "it failed in another process")
    if passes.ranks.first:
        _write(kept, asdict(trial))
    return _judge(passes, mode, trial)


def _compile(model: PreTrainedModel, cache: Path) -> None:
    """Have the layers compiled at their next pass, unless they are."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache / "kernels"))
    for layer in decoder_layers(model):
        if layer._compiled_call_impl is None:
            layer.compile(dynamic=False)  # else kernels would depend on which shapes came before


def _judge(passes: Passes, mode: str, trial: Trial) -> CompileReport:
    saved = trial.saves(passes.count)
    speeds = f"{trial.plain_seconds:.3g} s a batch without, {trial.compiled_seconds:.3g} s with"
    if not _all(passes.ranks, trial.agrees(passes.precision)):
        reason = f"loss or gradient differ by {trial.loss_difference:.1e}, {trial.gradient_difference:.1e}"
        return CompileReport(compiled=False, reason=reason, trial=trial)
    pays = _all(passes.ranks, saved > 0)
    reason = f"{speeds}; {'saves' if saved > 0 else 'costs'} {abs(saved):.0f} s in {passes.count} batches"
    return CompileReport(compiled=mode == "on" or pays, reason=reason, trial=trial)


Taken = tuple[float, torch.Tensor, float]
"""What `Passes.take` returns."""


def _try(passes: Passes, mode: str, cache: Path) -> tuple[Trial | None, str]:
    """Return what was found, or None and why nothing was."""
    plain, _, failure = _timed(passes)
    if not _all(passes.ranks, bool(plain)):
        return None, failure
    seconds = min(seconds for *_, seconds in plain)
    if mode == "auto" and not _all(passes.ranks, seconds * passes.count >= SHORTEST_S):
        return None, "the training is too short to try whether it pays"
    _compile(passes.model, cache)
    compiled, first, failure = _timed(passes)
    if not compiled:
        return None, failure
    (loss, gradient, _), (other_loss, other_gradient, _) = plain[0], compiled[0]
    fastest = min(seconds for *_, seconds in compiled)
    return Trial(
        plain_seconds=seconds,
        compiled_seconds=fastest,
        compiling_seconds=max(0.0, first - fastest),
        loss_difference=abs(other_loss - loss) / abs(loss),
        gradient_difference=float((other_gradient - gradient).norm() / gradient.norm().clamp_min(1e-30)),
    ), ""


def _timed(passes: Passes) -> tuple[list[Taken], float, str]:
    """Return some passes as in training, the seconds of one before them, and why there are none if there are none."""
    was_training = passes.module.training
    passes.module.train()
    try:
        start = time.perf_counter()
        passes.take()
        first = time.perf_counter() - start
        return [passes.take() for _ in range(TIMED)], first, ""
    except Exception as error:  # whatever stands in the way of compiling, training can go on without
        passes.module.zero_grad(set_to_none=True)
        said = str(error).strip().splitlines() or [""]
        return [], 0.0, f"{type(error).__name__}: {said[0]}"
    finally:
        passes.module.train(was_training)


def _restore(model: PreTrainedModel) -> None:
    for layer in decoder_layers(model):
        layer._compiled_call_impl = None  # what `Module.compile` has set; there is no public way back


def _all(ranks: Ranks, yes: bool) -> bool:
    return ranks.sum([float(yes)])[0] == ranks.size


def _key(passes: Passes) -> str:
    """Return a name for everything that decides about the speed of a pass."""
    device = passes.ranks.device
    given: list[Any] = [
        torch.__version__,
        torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability(),
        torch.get_num_threads(),
        passes.ranks.size,
        type(passes.module).__name__,
        passes.shape,
        passes.precision,
        passes.model.is_activation_checkpointing,
        passes.model.config._attn_implementation,
        passes.model.config.to_json_string(use_diff=False),
        [(name, tuple(p.shape), p.requires_grad) for name, p in passes.model.named_parameters()],
    ]
    return hashlib.sha256(json.dumps(given).encode()).hexdigest()[:16]


def _read(kept: Path) -> dict[str, Any]:
    """Return the object in a file of JSON, nothing where there is none."""
    try:
        found: Any = json.loads(kept.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(kept: Path, found: Mapping[str, Any]) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(found), "utf-8")
    part.replace(kept)
