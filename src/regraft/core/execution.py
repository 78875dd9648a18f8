"""By what means steps run: never part of their identity."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from regraft.core.errors import ConfigError

TRACKERS = ("tensorboard", "wandb", "trackio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Which endpoints are asked, how hard, and for how much money.

    What money does not cover is no part of a result: the step ends with an error, and goes on when there is more.
    """

    endpoints: tuple[str, ...] = ()
    """OpenAI-compatible base URLs of servers of the same models; none starts a server of our own on this machine."""
    concurrency: int = 64
    """Requests in flight, at most; fewer while an endpoint says that it is overloaded."""
    requests_per_minute: float = 0.0
    """0: not limited, as with all that are per minute."""
    tokens_per_minute: float = 0.0
    timeout_s: float = 600.0
    """Of one attempt, whole answer included."""
    prompt_price: float | None = None
    """Of a million tokens; None: not known, and never guessed."""
    completion_price: float | None = None
    budget_money: float = 0.0
    """Of each step, in the currency of the prices; 0: not limited."""
    provider_batches: bool = False
    """Ask through the batch API (OpenAI format): cheaper, answers within a day."""

    def __post_init__(self) -> None:
        for name in ("concurrency", "timeout_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; give more than 0.")
        for name in ("requests_per_minute", "tokens_per_minute", "budget_money"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; give 0 or more.")
        if (self.prompt_price is None) != (self.completion_price is None):
            raise ConfigError("One of prompt_price and completion_price is given; give both, 0 for what is free.")
        if self.budget_money and self.prompt_price is None:
            raise ConfigError("budget_money needs prompt_price and completion_price: no price is guessed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Means, not identity: may change the speed, never what is made."""

    device: str = "cpu"
    workers: int = 2
    """Processes or threads a stage may use."""
    engine: Literal["native", "ray"] = "native"
    """Where dataflow runs: in this process, or on a Ray cluster."""
    asking: Asking = field(default_factory=Asking)
    """How models behind endpoints are asked."""
    data_root: Path = Path()
    """Relative roots of raw files are taken from here."""
    cache: Path = Path.home() / ".cache" / "regraft"
    """Downloads are kept here, by content."""
    checkpoint_seconds: float = 60.0
    """A long training saves what it needs to continue this often, but spends at most a twentieth of its time on that;
    0 saves after every step."""
    launcher: str = ""
    """Command that starts the processes of a training, such as `torchrun --nproc-per-node 8`; empty for this one."""
    parallel: Literal["auto", "ddp", "fsdp"] = "auto"
    """How several processes share a model: each holds all of it (DDP), or a part (FSDP2). `auto` shards on
    accelerators only."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Whether training compiles the decoder layers; `auto` where a self-test says that it pays."""
    attention: Literal["auto", "packed", "sdpa", "eager", "flex_attention"] = "auto"
    """With which kernel training attends. `packed` is regraft's own, for CPUs; the others are those of Transformers.
    `auto` is `packed` on CPUs where a self-test allows it, else what the model comes with."""
    recompute_activations: bool = False
    """Whether training computes activations again in the backward pass, to save memory."""
    sequences_per_batch: int = 2
    """Sequences that go through the model at once, in each process; a step accumulates over batches."""
    trackers: tuple[str, ...] = ()
    """Where training also tells its figures: `tensorboard`, `wandb`, `trackio`."""
    tracking: Path = Path("tracking")
    """Trackers write below this folder only."""
    unsafe_code: bool = False
    """Run code that a model wrote also where it cannot be kept apart from this machine. In a machine that nothing is
    lost with, and only there."""

    def __post_init__(self) -> None:
        if self.sequences_per_batch < 1:
            raise ConfigError(f"sequences_per_batch is {self.sequences_per_batch}; give at least 1.")
        if self.launcher and not _words(self.launcher):
            raise ConfigError(f"launcher is {self.launcher!r}, which is no command; its quotes must be closed.")
        if unknown := set(self.trackers) - set(TRACKERS):
            raise ConfigError(f"There is no tracker {sorted(unknown)}; choose from {TRACKERS}.")

    @property
    def hashes(self) -> Path:
        """File that remembers the hashes of raw files."""
        return self.cache / "hashes.json"


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []
