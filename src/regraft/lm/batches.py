"""Which pieces of which documents are scored together: long documents in overlapping windows, batches by length."""

from collections.abc import Sequence
from dataclasses import dataclass

from regraft.core import ConfigError

FILLED = 512
"""Tokens with which a batch is worth running: SmolLM2-135M on one core is not faster with more. Not in the paper."""
MAX_PADDING = 0.05
"""Share of a filled batch that may be padding. Not in the paper; where documents are many it is hardly ever met."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one document: its tokens `start .. stop - 1` are seen, `scored_from .. stop - 1` are scored."""

    document: int
    start: int
    stop: int
    scored_from: int

    @property
    def num_inputs(self) -> int:
        """Tokens that the model reads: all but the last, which is only predicted."""
        return self.stop - self.start - 1

    @property
    def num_scored(self) -> int:
        return self.stop - self.scored_from


def plan_batches(lengths: Sequence[int], *, batch_tokens: int, window: int) -> list[list[Piece]]:
    """Return batches of pieces in which each token but the first of each document is scored exactly once.

    A batch, padded to its longest piece, has at most `batch_tokens` tokens (one piece may have more), and little of it
    is padding. Longest first, so that a batch too large for the memory fails at the start; the plan depends on the
    arguments alone.

    Args:
        lengths: tokens of each document.
        batch_tokens: padded tokens of a batch.
        window: tokens that the model reads at once; the second half of a window is the first half of the next, so that
            a scored token has at least half a window before it.
    """
    if window < 2 or batch_tokens < 1:
        raise ConfigError(f"window is {window} and batch_tokens {batch_tokens}; at least 2 and 1 are needed.")
    pieces = [piece for document, n in enumerate(lengths) for piece in _windows(document, n, window)]
    pieces.sort(key=lambda p: (-p.num_inputs, p.document, p.start))
    batches: list[list[Piece]] = []
    filled = 0  # tokens of the last batch, without padding
    for piece in pieces:
        filled += piece.num_inputs
        if batches and _fits((len(batches[-1]) + 1) * batches[-1][0].num_inputs, filled, batch_tokens):
            batches[-1].append(piece)
        else:
            batches.append([piece])
            filled = piece.num_inputs
    return batches


def _fits(padded: int, filled: int, batch_tokens: int) -> bool:
    return padded <= batch_tokens and (padded <= FILLED or padded - filled <= MAX_PADDING * padded)


def _windows(document: int, length: int, window: int) -> list[Piece]:
    pieces: list[Piece] = []
    start, scored_from = 0, 1
    while scored_from < length:
        stop = min(start + window + 1, length)
        pieces.append(Piece(document, start, stop, scored_from))
        start, scored_from = start + window - window // 2, stop
    return pieces
