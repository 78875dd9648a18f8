"""Split held-out and validation text off before anything else sees it, and keep it apart from what is trained on.

Similar documents go to one part together. What is left is text that training pages quote: a document of which more
than a stated share stands in the training part, on one page or over several, is dropped from its part.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from regraft.core import Artifact, ConfigError, Context, Kind, Metrics, RegraftError, stage
from regraft.corpus.document import Document, Reject

Part = Literal["train", "held_out", "validation"]
Place = Literal["train", "held_out", "validation", "unused"]
BANDS, ROWS = 28, 4
"""Documents that share one of 28 bands of 4 hashes stay together: half similar ones do with a probability of 0.84.

Source: not in the paper.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """How much of each cell (language, source) is held out or kept for validation, and which part this step writes."""

    part: Part
    """Steps that differ in nothing but this write the parts of one split."""
    share: float = 0.05
    """Of the documents of a cell that are held out."""
    at_least: int = 8
    """Documents held out of a cell, but never more than half of it."""
    max_documents: int = 0
    """Documents held out of a cell at most; 0 for no bound."""
    validation_share: float = 0.0
    """Of the documents of a cell that are for validation."""
    validation_at_least: int = 0
    """Documents of a cell that are for validation, but never more than half of what is not held out."""
    validation_max_documents: int = 0
    """Documents of a cell that are for validation at most; 0 for no bound."""
    protected: tuple[str, ...] = ()
    """Sources that are never trained on: beyond both bounds they are rejected as `unused`, by the step of `train`."""
    max_containment: float = 0.5
    """Share of the word 5-grams of a held-out or validation document that may stand in the training part.

    Source: not in the paper.
    """
    required_languages: tuple[str, ...] = ()
    """Languages of which this part must hold a document."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("share", "validation_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 0 and below 1.")
        for name in ("at_least", "max_documents", "validation_at_least", "validation_max_documents"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it is a count.")
        if not 0 <= self.max_containment <= 1:
            raise ConfigError(f"max_containment is {self.max_containment}; it must be between 0 and 1.")
        if self.part == "validation" and not (self.validation_share or self.validation_at_least):
            raise ConfigError("part is 'validation', but validation_share and validation_at_least are 0; give one.")


@stage(version=3, makes=Kind.CORPUS, docs=Kind.CORPUS)
def split_documents(config: SplitConfig, ctx: Context) -> Metrics:
    """Write the documents of one part, in their order; those of the others are counted as `other_part`.

    Raises:
        RegraftError: the part is empty, or has nothing in a required language.
    """
    from regraft.corpus.rows import CorpusWriter, documents
    from regraft.curation.duplicates.minhash import components, sign

    corpus = ctx.input("docs")
    members = [Member(d.id, (d.language, d.source)) for d in documents(corpus)]
    clusters = components(sign([corpus], BANDS, ROWS, ctx), BANDS).tolist()
    parts = assign(members, clusters, config)
    contained = _containments(corpus, parts, config)
    with CorpusWriter(ctx.out, "split_documents") as writer:
        for number, (document, part) in enumerate(zip(documents(corpus), parts, strict=True)):
            outcome = _outcome(document, part, contained.get(number, 0.0), config)
            if outcome is None:
                writer.leave()
                continue
            writer.put(document, outcome)
    metrics = writer.tally.checked("split_documents", len(members), ctx.out)
    _check(metrics, config)
    kept = metrics["documents"]
    return {**metrics, "clusters": len(set(clusters)), **_figures(members, contained, kept, config)}


@dataclass(frozen=True, slots=True)
class Member:
    """What the split has to know of a document."""

    id: str
    cell: tuple[str, str]
    """Language and source."""


def assign(members: Sequence[Member], clusters: Sequence[int], config: SplitConfig) -> list[Place]:
    """Return the part of each document; a cluster is never divided between parts.

    Clusters are taken in the order of a seeded hash of their smallest id, so the split depends neither on the order of
    the documents nor on `part`. One is held out when all its cells have room for it, else it is for validation when
    they have room there. What is left is trained on, unless the cluster holds a document of a protected source.
    """
    wanted = quotas(members, config)
    groups: dict[int, list[int]] = {}
    for number, cluster in enumerate(clusters):
        groups.setdefault(cluster, []).append(number)
    parts: list[Place] = ["train"] * len(members)
    for group in sorted(groups.values(), key=lambda g: _hash(min(members[n].id for n in g), config.seed)):
        cells = Counter(members[n].cell for n in group)
        rest: Place = "unused" if any(source in config.protected for _, source in cells) else "train"
        fitting: Part | None = next((part for part, room in wanted.items() if cells <= room), None)
        if fitting:
            wanted[fitting] -= cells
        for number in group:
            parts[number] = fitting or rest
    return parts


def quotas(members: Sequence[Member], config: SplitConfig) -> dict[Part, Counter[tuple[str, str]]]:
    """Return how many documents of each cell are to be held out, and how many are to be for validation."""
    found: dict[Part, Counter[tuple[str, str]]] = {"held_out": Counter(), "validation": Counter()}
    for cell, size in Counter(member.cell for member in members).items():
        held_out = min(max(round(size * config.share), config.at_least), size // 2)
        validation = min(
            max(round(size * config.validation_share), config.validation_at_least),
            config.validation_max_documents or size,
            (size - held_out) // 2,
        )
        if cell[1] in config.protected:
            held_out = size - validation
        found["held_out"][cell] = min(held_out, config.max_documents or size)
        found["validation"][cell] = validation
    return found


def _containments(corpus: Artifact, parts: Sequence[str], config: SplitConfig) -> dict[int, float]:
    """Return how much of each document of this part, by number, stands in the training part."""
    from regraft.corpus.rows import documents
    from regraft.curation.duplicates.containment import containments

    if config.part == "train":
        return {}
    numbers = [number for number, part in enumerate(parts) if part == config.part]
    own = (document.text for document, part in zip(documents(corpus), parts, strict=True) if part == config.part)
    train = (document.text for document, part in zip(documents(corpus), parts, strict=True) if part == "train")
    return dict(zip(numbers, containments(own, train), strict=True))


def _outcome(document: Document, part: str, contained: float, config: SplitConfig) -> Document | Reject | None:
    """Return what this step writes of a document, None for one of another part."""
    if part == "unused" and config.part == "train":
        return Reject("unused", "of a protected source, or like a document of one, beyond the bounds")
    if part != config.part:
        return None
    if contained > config.max_containment:
        return Reject("contained_in_train", f"{contained:.3f} of the word 5-grams")
    return document


def _figures(
    members: Sequence[Member], contained: Mapping[int, float], kept: int, config: SplitConfig
) -> dict[str, int | float]:
    """Return by how many documents the part falls short of its quota, and the largest containment that is left."""
    if config.part == "train":
        return {}
    left = [value for value in contained.values() if value <= config.max_containment]
    wanted = quotas(members, config)[config.part].total()
    return {"short": wanted - kept, "max_containment": round(max(left, default=0.0), 4)}


def _check(metrics: Mapping[str, int], config: SplitConfig) -> None:
    for language in config.required_languages:
        if not metrics.get(f"language.{language}"):
            raise RegraftError(f"The part {config.part!r} has no document in {language!r}: {dict(metrics)}.")


def _hash(id_: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {id_}".encode()).hexdigest()
