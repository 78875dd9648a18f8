"""Split held-out text off before anything else sees it, so that nothing that resembles it is trained on."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from regraft.core import ConfigError, Context, Kind, Metrics, RegraftError, stage
from regraft.corpus.document import Reject

Part = Literal["train", "held_out", "unused"]
BANDS, ROWS = 28, 4
"""Documents that share one of 28 bands of 4 hashes stay together: half similar ones do with a probability of 0.84.

Source: not in the paper.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """How much of each cell (language, source) is held out, and which part this step writes."""

    part: Literal["train", "held_out"]
    """Steps that differ in nothing but this write the two parts of one split."""
    share: float = 0.05
    """Of the documents of a cell that are held out."""
    at_least: int = 8
    """Documents held out of a cell, but never more than half of it."""
    max_documents: int = 0
    """Documents held out of a cell at most; 0 for no bound."""
    protected: tuple[str, ...] = ()
    """Sources that are never trained on; beyond `max_documents` they are rejected as `unused`."""
    required_languages: tuple[str, ...] = ()
    """Languages of which this part must hold a document."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ConfigError(f"share is {self.share}; it must be at least 0 and below 1.")
        if self.at_least < 0 or self.max_documents < 0:
            raise ConfigError(f"at_least is {self.at_least} and max_documents {self.max_documents}; they are counts.")


@stage(version=1, makes=Kind.CORPUS, docs=Kind.CORPUS)
def split_documents(config: SplitConfig, ctx: Context) -> Metrics:
    """Write the documents of one part, in their order.

    Documents of the other part are counted, not rejected: nothing happened to them.

    Raises:
        RegraftError: the part is empty, or has nothing in a required language.
    """
    from regraft.corpus.rows import CorpusWriter, documents
    from regraft.corpus.tables import DOCUMENTS_FILE
    from regraft.curation.minhash import components, signatures

    path = ctx.input("docs").file(DOCUMENTS_FILE)
    members = [Member(d.id, (d.language, d.source)) for d in documents([path])]
    clusters = components(signatures([path], [member.id for member in members], ctx), BANDS, ROWS).tolist()
    parts = assign(members, clusters, config)
    languages = Counter[str]()
    with CorpusWriter(ctx.out, "split_documents") as writer:
        for document, part in zip(documents([path]), parts, strict=True):
            if part == config.part:
                languages[document.language] += 1
                writer.keep(document)
            elif part == "unused":
                writer.put(document, Reject("unused", "of a protected source, beyond max_documents"))
        metrics = writer.metrics(sum(part in (config.part, "unused") for part in parts))
    _check(languages, config)
    short = sum(quotas(members, config).values()) - parts.count("held_out")
    return {
        **metrics,
        "other_part": len(parts) - metrics["documents_read"],
        "clusters": len(set(clusters)),
        "held_out_short": short,
    }


@dataclass(frozen=True, slots=True)
class Member:
    """What the split has to know of a document."""

    id: str
    cell: tuple[str, str]
    """Language and source."""


def assign(members: Sequence[Member], clusters: Sequence[int], config: SplitConfig) -> list[Part]:
    """Return the part of each document; a cluster is never divided between train and held out.

    Clusters are taken in the order of a seeded hash of their smallest id, so the split depends neither on the order of
    the documents nor on `part`. One is held out when all its cells have room for it, and in any case when it holds a
    document of a protected source: what such a cell has no room for is unused.
    """
    wanted = quotas(members, config)
    groups: dict[int, list[int]] = {}
    for number, cluster in enumerate(clusters):
        groups.setdefault(cluster, []).append(number)
    parts: list[Part] = ["train"] * len(members)
    taken = Counter[tuple[str, str]]()
    for group in sorted(groups.values(), key=lambda g: _hash(min(members[n].id for n in g), config.seed)):
        cells = Counter(members[n].cell for n in group)
        fits = all(taken[cell] + count <= wanted[cell] for cell, count in cells.items())
        protected = any(source in config.protected for _, source in cells)
        if fits:
            taken += cells
        for number in group:
            parts[number] = "held_out" if fits else "unused" if protected else "train"
    return parts


def quotas(members: Sequence[Member], config: SplitConfig) -> dict[tuple[str, str], int]:
    """Return how many documents of each cell are to be held out."""
    bound = config.max_documents or len(members)
    found: dict[tuple[str, str], int] = {}
    for cell, size in Counter(member.cell for member in members).items():
        wanted = (
            size if cell[1] in config.protected else min(max(round(size * config.share), config.at_least), size // 2)
        )
        found[cell] = min(wanted, bound)
    return found


def _check(languages: Counter[str], config: SplitConfig) -> None:
    for language in config.required_languages:
        if not languages[language]:
            raise RegraftError(f"The part {config.part!r} has no document in {language!r}, but {dict(languages)}.")


def _hash(id_: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {id_}".encode()).hexdigest()
