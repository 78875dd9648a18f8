"""What a corruption is given and what it gives back: pure values."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol

from regraft.core import ConfigError


@dataclass(frozen=True, slots=True)
class Draw:
    """Chance of one document: numbers that depend on the seed, the document and what they are for, on nothing else."""

    seed: int
    id: str

    def number(self, *purpose: object) -> int:
        """Return 64 bits."""
        said = " ".join(map(str, (self.seed, self.id, *purpose)))
        return int.from_bytes(hashlib.sha256(said.encode()).digest()[:8])


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A text that is to be corrupted."""

    text: str
    start: int = 0
    """Where its solution begins, in characters; 0 where that is unknown."""
    donor: str = ""
    """The solution of another document of the same language; empty where there is none."""
    donor_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrupted:
    """A text that was corrupted: it differs from its original."""

    text: str
    start: int
    """Where its solution begins now; 0 where that is unknown."""
    detail: str
    """What was changed, in words."""
    parents: tuple[str, ...] = ()
    """Ids of documents beside the original that something was taken from."""


class Corruption(Protocol):
    """A kind of damage: a frozen dataclass with its settings. Keeps no state and is sent to worker processes."""

    @property
    def name(self) -> str:
        """What figures and `meta` call it."""
        ...

    def corrupt(self, original: Original, draw: Draw) -> Corrupted | None:
        """Return the damaged text, None where there is nothing that this kind could damage."""
        ...


Place = tuple[int, int]
"""From the first character to the one after the last."""


def substituted(
    original: Original,
    places: Sequence[Place],
    share: float,
    draw: Draw,
    other: Callable[[str, int], str],
) -> Corrupted | None:
    """Return the text with `share` of the places replaced, at least one; None where there are no places.

    Which places come first and what stands there afterwards does not depend on the share: a larger one does all that a
    smaller one does, and more. `other` makes another piece of text from what stands there and 64 bits of chance.
    """
    if not places:
        return None
    order = sorted(range(len(places)), key=lambda n: draw.number("place", n))
    chosen = sorted(order[: ceil(share * len(places))])
    parts, behind, start = list[str](), 0, original.start
    for n in chosen:
        first, last = places[n]
        made = other(original.text[first:last], draw.number("other", n))
        parts += [original.text[behind:first], made]
        behind = last
        start += len(made) - (last - first) if last <= original.start else 0
    text = "".join([*parts, original.text[behind:]])
    if text == original.text:
        return None
    return Corrupted(text=text, start=start, detail=f"{len(chosen)} of {len(places)}")


def check_share(kind: str, share: float) -> None:
    """Return if `share` is one.

    Raises:
        ConfigError: it is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"{kind}.share is {share}; give a share above 0 and up to 1.")
