"""When a stream goes on to harder documents: by clock, which is its order, or by what the model says of them."""

from regraft.mixture.pacing.gate import BucketLoss, Gate, GatedByLoss, Pace
from regraft.mixture.pacing.levels import Levels, levels_of
from regraft.mixture.pacing.pacer import PacedStream, PaceEvent

__all__ = ["BucketLoss", "Gate", "GatedByLoss", "Levels", "Pace", "PaceEvent", "PacedStream", "levels_of"]
