"""Documents sorted by difficulty, and what every order is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Order(Protocol):
    """Orders documents: a pure function of their difficulty and ids."""

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices of the documents in the order in which they are to be served.

        `difficulty` is NaN for a document that was not measured.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ascending:
    """From the lowest to the highest; ties by id. Documents without difficulty (NaN) follow, as given.

    Source: arXiv:2407.18743, Figure 1, "PPL Ascending" for Chinese documents [F]; whether globally or inside each
    source, and in how many buckets, is not in the paper.
    """

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices, the easiest document first where difficulty is a loss."""
        return sorted(range(len(ids)), key=lambda i: _key(difficulty[i], ids[i], sign=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Descending:
    """From the highest to the lowest; ties by id. Documents without difficulty (NaN) follow, as given."""

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices, the hardest document first where difficulty is a loss."""
        return sorted(range(len(ids)), key=lambda i: _key(difficulty[i], ids[i], sign=-1))


def _key(value: float, identifier: str, sign: int) -> tuple[bool, float, str]:
    return (True, 0.0, "") if math.isnan(value) else (False, sign * value, identifier)
