"""The training stage: a token budget, a mixture, a schedule and a controller that steers while it trains."""

from dataclasses import dataclass, field
from typing import Literal

from regraft.core import ConfigError, Context, Kind, Metrics, many, stage
from regraft.mixture.controllers import Controller, Fixed
from regraft.mixture.guard import ForgettingGuard
from regraft.mixture.pacing import Gate
from regraft.mixture.shares import Mixture
from regraft.training.averaging import Ema
from regraft.training.batch_ramp import BatchRamp, StepPlan, plan_steps
from regraft.training.optimizer import AdamW
from regraft.training.safety import Safety
from regraft.training.schedules import Schedule
from regraft.training.trainable import All, Trainable


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationConfig:
    """How much held-out text is scored at each decision. Sizes are not in the paper."""

    tokens_per_stream: int = 1_000
    """Per language, source and topic."""
    tokens_per_document: int = 256
    """Only this prefix of a document is scored."""
    batch_tokens: int = 2_048
    sources: tuple[str, ...] = ()
    """Only these; empty for all. Name the controlled and the protected ones to spend no time on others."""

    def __post_init__(self) -> None:
        for name in ("tokens_per_stream", "tokens_per_document", "batch_tokens"):
            if getattr(self, name) < 2:
                raise ConfigError(f"validation: {name} is {getattr(self, name)}; give at least 2.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Continual pre-training of all parameters with the next-token loss.

    Source: full-parameter training, AdamW, clip 1.0, packed sequences of 8,192 [N][C]. Batch size: not in the paper.
    """

    tokens: int
    """Budget; rounded up to whole steps."""
    mixture: Mixture
    schedule: Schedule
    optimizer: AdamW = field(default_factory=AdamW)
    controller: Controller = field(default_factory=Fixed)
    controlled_sources: tuple[str, ...] = ()
    """Sources whose topic shares the controller moves; in the paper the web pages [F]."""
    num_decisions: int = 4
    """Of controller and guard, evenly spread over the budget. Frequency: not in the paper."""
    guard: ForgettingGuard | None = None
    """Raises replay or stops when protected text gets worse; None for no guard. Not in the paper."""
    pacing: Gate | None = None
    """Lets streams go on to harder documents by their held-out loss, asked at each decision; None: by clock, each
    stream in its order, as in the paper."""
    safety: Safety = field(default_factory=Safety)
    trainable: Trainable = field(default_factory=All)
    """Which parameters change."""
    average: Ema | None = None
    """A running mean of the weights, which is then what is exported, with the last held-out loss measured under it."""
    keep_every: int = 0
    """Tokens from one kept model to the next, as `kept/step-000000123/model` beside the last one; 0 keeps none."""
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    sequence_length: int = 512
    sequences_per_step: int = 2
    batch_ramp: BatchRamp | None = None
    """Smaller steps at the start; None: all steps are of one size."""
    packing: Literal["concat", "best_fit"] = "concat"
    """Of documents into sequences: end to end, cut where a sequence ends; or cut only where they are longer than a
    sequence, with some padding."""
    whole_sources: tuple[str, ...] = ()
    """Sources whose documents are never cut, question-answer pairs for instance."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """`bfloat16`: autocast over fp32 parameters."""
    leave_out_consumed: bool = True
    """Whether what earlier trainings of `model` consumed of a document does not count any more."""
    seed: int = 0
    """Of dropout, where the model has any."""

    def __post_init__(self) -> None:
        for name in ("tokens", "sequence_length", "sequences_per_step"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; give at least 1.")
        self.schedule.learning_rate(0, self.plan.tokens)  # it knows whether its phases fit
        if self.keep_every < 0:
            raise ConfigError(f"keep_every is {self.keep_every} tokens; it cannot be negative.")
        if not 0 <= self.num_decisions < self.num_steps:
            raise ConfigError(f"num_decisions is {self.num_decisions}; {self.num_steps} steps leave room for fewer.")
        if self.num_decisions and (self.controller != Fixed()) != bool(self.controlled_sources):
            raise ConfigError(
                f"controller is {self.controller} and controlled_sources {self.controlled_sources}: a controller other "
                "than Fixed() needs sources to control, and they need it."
            )
        unseen = set(self.controlled_sources) - set(self.validation.sources or self.controlled_sources)
        if unseen:
            raise ConfigError(f"validation.sources leaves out {sorted(unseen)}, which the controller steers by.")
        unknown = set(self.controlled_sources) - {s.name for g in self.mixture.groups for s in g.sources}
        if unknown:
            raise ConfigError(f"controlled_sources {sorted(unknown)} are not in the mixture.")
        if self.guard:
            self._check_guard(self.guard)
        if self.pacing:
            self._check_pacing(self.pacing)

    def _check_pacing(self, gate: Gate) -> None:
        if not self.num_decisions:
            raise ConfigError("Pacing is asked at each decision, and num_decisions is 0.")
        unseen = set(gate.sources) - set(self.validation.sources or gate.sources)
        unknown = set(gate.sources) - {s.name for g in self.mixture.groups for s in g.sources}
        if unseen or unknown:
            raise ConfigError(
                f"pacing names {sorted(unseen | unknown)}, which is not in "
                f"{'the mixture' if unknown else 'validation.sources'}."
            )

    def _check_guard(self, guard: ForgettingGuard) -> None:
        guard.check(self.mixture)
        if not self.num_decisions:
            raise ConfigError("A guard is asked at each decision, and num_decisions is 0.")
        unseen = set(guard.protected) - set(self.validation.sources or guard.protected)
        if unseen:
            raise ConfigError(f"validation.sources leaves out {sorted(unseen)}, which the guard protects.")

    @property
    def plan(self) -> StepPlan:
        """All steps: how many, and of how many sequences each."""
        return plan_steps(self.tokens, self.sequence_length, self.sequences_per_step, self.batch_ramp)

    @property
    def num_steps(self) -> int:
        return self.plan.num_steps

    def keeps(self, step: int) -> bool:
        """Say whether the model after `step` is kept."""
        if not self.keep_every:
            return False
        plan = self.plan
        return plan.tokens_before(step) // self.keep_every > plan.tokens_before(step - 1) // self.keep_every

    @property
    def decision_steps(self) -> tuple[int, ...]:
        """Steps after which held-out loss is measured, and controller and guard decide, in order."""
        rounds, num_steps = self.num_decisions + 1, self.num_steps
        return tuple(num_steps * i // rounds for i in range(1, rounds))


def describe(config: TrainConfig) -> str:
    """Return the token budget in words, for `regraft plan`."""
    groups = " : ".join(f"{g.name} {g.share * config.plan.tokens:,.0f}" for g in config.mixture.groups)
    return f"{config.num_steps} steps, {config.plan.tokens:,} tokens ({groups})"


@stage(
    version=6,
    makes=Kind.CHECKPOINT,
    describe=describe,
    model=Kind.CHECKPOINT,
    tokens=many(Kind.TOKENS),
    held_out=Kind.TOKENS,
)
def train(config: TrainConfig, ctx: Context) -> Metrics:
    """Continue the pre-training of `model` and write it with the record of every step, serving and decision.

    It ends before its budget when the forgetting guard stops it; the manifest and EVENTS say so and why. A killed run
    continues from its last checkpoint and gives the same bytes on CPU with the same numbers of threads and processes;
    with other numbers, the same data in the same order. SIGTERM and SIGINT save and end it.

    Raises:
        ConfigError: the token artifacts do not hold what the mixture asks for.
        Interrupted: a signal asked it to end.
        RegraftError: the budget is larger than all that can be served; packed documents see each other under this
            model; too many steps on end have no finite gradient, or the loss jumps again and again; or every
            checkpoint is damaged.
    """
    if ctx.execution.launcher:
        from regraft.training.launch import launched

        return launched(config, ctx)
    from regraft.training.control import alone, stop_earlier
    from regraft.training.loop import run_training
    from regraft.training.signals import stop_on_signal

    stop_earlier(ctx.scratch)
    with alone(ctx.scratch, ctx.log), stop_on_signal() as stop:
        return run_training(config, ctx, stop)
