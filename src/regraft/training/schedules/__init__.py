"""Learning rate as a pure function of the tokens consumed, padding included: nothing to save, nothing to restore.

A schedule is any frozen dataclass with `learning_rate`.

In continual pre-training, to re-warm and re-decay (arXiv:2403.08763) is a `Cosine` that starts from the rate at which
the earlier training ended. To have no horizon (arXiv:2503.02844) is one `Infinite`, then `WarmupStable` at its constant
rate, training after training. A model to use is made of any of them by a training with `Decay`, from its last model or
from one that it kept on the way; the others go on from where nothing was decayed.
"""

from regraft.training.schedules.cosine import Cosine
from regraft.training.schedules.infinite import Decay, Infinite
from regraft.training.schedules.phases import Phase, Phased, Schedule, Shape
from regraft.training.schedules.stable import WarmupStable, WarmupStableDecay

__all__ = [
    "Cosine",
    "Decay",
    "Infinite",
    "Phase",
    "Phased",
    "Schedule",
    "Shape",
    "WarmupStable",
    "WarmupStableDecay",
]
