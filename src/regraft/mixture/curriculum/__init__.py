"""The order of the documents inside a stream: frozen dataclasses with one pure method.

An order is given what measures difficulty as one number a document: loss per byte, compression ratio, whatever was
chosen. It knows nothing of the measure but which way is up, so a measure that falls as text gets harder (readability)
asks for `Descending` where a loss asks for `Ascending`.
"""

from regraft.mixture.curriculum.buckets import Buckets
from regraft.mixture.curriculum.shuffled import AsGiven, Shuffled
from regraft.mixture.curriculum.sorted import Ascending, Descending, Order
from regraft.mixture.curriculum.warmup import WarmupThenRandom

__all__ = ["AsGiven", "Ascending", "Buckets", "Descending", "Order", "Shuffled", "WarmupThenRandom"]
