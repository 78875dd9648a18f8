"""The order of the documents inside a stream, easy to hard or otherwise.

Difficulty is the loss per byte by default. The paper orders by perplexity, which is the loss per token; that favours
text which the tokenizer breaks into many small and easily guessed pieces (SmolLM2 needs 1.8 tokens for a Chinese
character, and the second and third are nearly certain). Bytes are the same for every tokenizer.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Measure = Literal["loss_per_byte", "loss_per_token"]


def difficulty(
    losses: Sequence[float], tokens: Sequence[int], sizes: Sequence[int], measure: Measure = "loss_per_byte"
) -> list[float]:
    """Return the difficulty of each document in nats a byte or a token; NaN for one that was not scored.

    Args:
        losses: in nats, summed over a document.
        tokens: scored tokens, 0 when it was not scored.
        sizes: bytes of text that they stand for.
        measure: `loss_per_token` orders as the paper's perplexity does.
    """
    units = sizes if measure == "loss_per_byte" else tokens
    return [loss / unit if unit else math.nan for loss, unit in zip(losses, units, strict=True)]


class Order(Protocol):
    """Orders documents: a pure function of their difficulty and ids."""

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices of the documents in the order in which they are to be served."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ascending:
    """Easy to hard; ties by id. Documents without difficulty (NaN) follow, as given.

    Source: arXiv:2407.18743, Figure 1, "PPL Ascending" for Chinese documents [F]; whether globally or inside each
    source, and in how many buckets, is not in the paper.
    """

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices, the easiest document first."""
        return sorted(range(len(ids)), key=lambda i: _key(difficulty[i], ids[i], sign=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Descending:
    """Hard to easy; ties by id. Documents without difficulty (NaN) follow, as given."""

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices, the hardest document first."""
        return sorted(range(len(ids)), key=lambda i: _key(difficulty[i], ids[i], sign=-1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffled:
    """In an order that only seed and ids decide: a document more or less moves no other pair of documents."""

    seed: int = 0

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices, sorted by a hash of seed and id."""
        return sorted(range(len(ids)), key=lambda i: hashlib.sha256(f"{self.seed}/{ids[i]}".encode()).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class AsGiven:
    """As the documents stand in the corpus."""

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices as they are."""
        return list(range(len(ids)))


def _key(value: float, identifier: str, sign: int) -> tuple[bool, float, str]:
    return (True, 0.0, "") if math.isnan(value) else (False, sign * value, identifier)
