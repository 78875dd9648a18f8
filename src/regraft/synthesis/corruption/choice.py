"""Which documents are corrupted, and by which kind: a function of the rate and of their ranks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from regraft.core import RegraftError
from regraft.synthesis.corruption.corruption import Draw

Surveyed = tuple[int, Sequence[int]]
"""Of a document: its rank, and the numbers of the kinds by which it can be corrupted, the preferred one first."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen."""

    kinds: Mapping[str, Mapping[int, int]]
    """Shard -> row -> number of the kind."""
    wanted: int
    passed_over: int
    """Documents that came up and that no kind can corrupt."""


def choose(surveyed: Mapping[str, Sequence[Surveyed]], rate: float, replace: bool) -> Choice:
    """Take documents by rank until round(rate x documents) are reached; a higher rate takes all that a lower one takes.

    With `replace` a document that no kind can corrupt is passed over and the next one takes its place; else it counts
    as taken and stays as it is.

    Raises:
        RegraftError: with `replace`, fewer documents can be corrupted than the rate asks for.
    """
    order = sorted((seen[0], shard, row) for shard, rows in surveyed.items() for row, seen in enumerate(rows))
    wanted, passed_over = round(rate * len(order)), 0
    chosen: dict[str, dict[int, int]] = {shard: {} for shard in surveyed}
    taken = 0
    for _, shard, row in order:
        if taken == wanted:
            break
        able = surveyed[shard][row][1]
        if able:
            chosen[shard][row] = able[0]
        passed_over += not able
        taken += bool(able) or not replace
    if taken < wanted:
        raise RegraftError(
            f"The rate {rate} asks for {wanted} of {len(order)} documents, but only {taken} can be corrupted by these "
            "kinds. Lower the rate, add a kind, or let documents that cannot be corrupted stay as they are."
        )
    return Choice(chosen, wanted, passed_over)


def preferred(able: Sequence[int], draw: Draw) -> list[int]:
    """Return the kinds in the order in which chance prefers them for a document."""
    return sorted(able, key=lambda kind: draw.number("kind", kind))
