"""Keep the documents of a band of difficulty: between two percentiles of their language and source."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from regraft.core import Artifact, ConfigError, Context, Kind, Metrics, RegraftError, SchemaError, stage
from regraft.corpus.document import Document, Reject

if TYPE_CHECKING:
    from regraft.curation.repetition import Repetition

MAX_COMPARED = 10_000
"""Documents of the kept and of the dropped part that are compared, equally many of both. Not in the paper."""
PARTS = ("kept", "dropped")


@dataclass(frozen=True, slots=True, kw_only=True)
class BandConfig:
    """Which part of each cell (language, source) is kept.

    Cells are ranked by themselves, since a band over all would move the shares of languages and sources: pruning by
    perplexity moves them towards web pages (arXiv:2405.20541, paper_facts 6). Which band is best depends on the data
    (the same), so compare several on a surrogate; steps after each other, with `sources`, give each source its own.
    """

    measure: str = "loss_per_byte"
    """Of difficulty: `loss_per_byte`, `loss_per_token`, or a column of the annotation that is wired as `difficulty`.

    Source: POINTS takes perplexity (arXiv:2409.04828, paper_facts 5.3); loss by byte is not in the paper.
    """
    low: float = 0.0
    """Percentile of the documents of a cell from which they are kept, in ascending order of the measure."""
    high: float = 20.0
    """Percentile up to which they are kept; bands that meet share no document.

    Source: POINTS keeps the lowest 20 % of 5 million pairs of image and text (arXiv:2409.04828, paper_facts 5.3);
    that it is good for pages of text is not in the paper.
    """
    without_difficulty: Literal["keep", "reject"] = "keep"
    """What becomes of a document that was not measured, of a language that is not scored for instance. Such documents
    do not count in their cell. Not in the paper."""
    sources: tuple[str, ...] = ()
    """Only documents of these sources are dropped; empty for all."""

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise ConfigError(f"low is {self.low} and high {self.high}; give 0 <= low < high <= 100, in percent.")


@stage(version=1, makes=Kind.CORPUS, docs=Kind.CORPUS, difficulty=Kind.ANNOTATION)
def select_band(config: BandConfig, ctx: Context) -> Metrics:
    """Write the documents inside the band, in their order; others are rejected as `difficulty_band`.

    Low loss is good text or boilerplate: figures of the kept and of the dropped part stand side by side in the metrics,
    and a kept part that is clearly more repetitive is warned of. Each cell gives the same share of its documents, so
    what differs is neither language nor source.

    Raises:
        SchemaError: a document is not in the annotation, or that has no column of the measure.
        RegraftError: nothing was kept, or the corpus has no document of a source that is named.
    """
    from regraft.corpus.rows import CorpusWriter, documents
    from regraft.curation.repetition import Repetition, drawn

    corpus = ctx.input("docs")
    ids, ranks = _ranked(corpus, ctx, config)
    parts = {part: [id_ for id_, at in zip(ids, ranks, strict=True) if at and at.part == part] for part in PARTS}
    count = min(MAX_COMPARED, *map(len, parts.values()))
    compared = {name: (drawn(members, count), Repetition()) for name, members in parts.items()}
    with CorpusWriter(ctx.out, "select_band") as writer:
        for document, at in zip(documents(corpus), ranks, strict=True):
            writer.put(document, _outcome(document, at, config))
            for chosen, seen in compared.values():
                if document.id in chosen:
                    seen.add(document)
    _compare(compared["kept"][1], compared["dropped"][1], ctx)
    return {
        **writer.tally.checked("select_band", len(ids), ctx.out),
        "without_difficulty": sum(at is not None and not at.part for at in ranks),
        "documents_compared": count,
        **{f"{what}.{name}": x for name, (_, seen) in compared.items() for what, x in seen.figures().items()},
    }


@dataclass(frozen=True, slots=True)
class Rank:
    """Where a document stands in its cell."""

    difficulty: float
    """NaN when it was not measured."""
    percentile: float
    """Percent of the measured documents of the cell that come before it."""
    part: str
    """`kept`, `dropped`, or empty when it was not measured."""


def rank(difficulty: Sequence[float], ids: Sequence[str], low: float, high: float) -> list[Rank]:
    """Return the rank of each document of a cell; of n, those numbered round(n low %) up to round(n high %) are kept.

    `difficulty` is NaN for a document that was not measured. Ties go by id, so that the share is exact.
    """
    order = sorted((i for i, x in enumerate(difficulty) if not math.isnan(x)), key=lambda i: (difficulty[i], ids[i]))
    first, end = (round(len(order) * percentile / 100) for percentile in (low, high))
    ranks = [Rank(math.nan, math.nan, "")] * len(ids)
    for place, i in enumerate(order):
        part = "kept" if first <= place < end else "dropped"
        ranks[i] = Rank(difficulty[i], 100 * place / len(order), part)
    return ranks


def _ranked(corpus: Artifact, ctx: Context, config: BandConfig) -> tuple[list[str], list[Rank | None]]:
    """Return the ids of all documents and their ranks, None where the source is not asked for.

    A cell that is too small for the band to hold one of its documents is warned of.
    """
    from regraft.corpus import tables
    from regraft.corpus.difficulty import read_difficulty

    columns = ["id", "language", "source"]
    table = tables.read_shards(corpus.path, tables.DOCUMENTS_FOLDER, tables.DOCUMENTS, columns).to_pydict()
    missing = sorted(set(config.sources).difference(table["source"]))
    if missing:
        raise RegraftError(f"The corpus has no document of {missing}; it has {sorted(set(table['source']))}.")
    cells: dict[tuple[str, str], list[int]] = {}
    for number, (language, source) in enumerate(zip(table["language"], table["source"], strict=True)):
        if not config.sources or source in config.sources:
            cells.setdefault((language, source), []).append(number)
    difficulty = read_difficulty(ctx.input("difficulty"), config.measure) or {}
    ranks: list[Rank | None] = [None] * len(table["id"])
    for cell, members in cells.items():
        ids = [table["id"][i] for i in members]
        found = rank([_value_of(id_, difficulty) for id_ in ids], ids, config.low, config.high)
        for i, at in zip(members, found, strict=True):
            ranks[i] = at
        if {at.part for at in found} & {*PARTS} == {"dropped"}:
            ctx.log.warning("nothing of %s lies between percentiles %g and %g", cell, config.low, config.high)
    return table["id"], ranks


def _value_of(id_: str, difficulty: Mapping[str, float]) -> float:
    if id_ not in difficulty:
        raise SchemaError(f"document {id_} has no difficulty; score the same corpus that is selected from.")
    return difficulty[id_]


def _outcome(document: Document, at: Rank | None, config: BandConfig) -> Document | Reject:
    if at is None or at.part == "kept":
        return document
    if at.part == "dropped":
        cell = f"{document.language or 'unknown'}/{document.source}"
        detail = f"{config.measure} {at.difficulty:.6g} is at percentile {at.percentile:.2f} of {cell}"
        return Reject("difficulty_band", detail)
    return document if config.without_difficulty == "keep" else Reject("without_difficulty", f"no {config.measure}")


def _compare(kept: "Repetition", dropped: "Repetition", ctx: Context) -> None:
    """Log both parts side by side, as a warning when what is kept looks like boilerplate."""
    from regraft.curation.repetition import clearly_more

    ctx.log.info("kept documents, %s", kept.described())
    ctx.log.info("dropped documents, %s", dropped.described())
    if clearly_more(kept, dropped):
        ctx.log.warning(
            "The band keeps clearly more repetitive documents than it drops (%s; dropped: %s): low loss is often "
            "boilerplate. Read some, cut repeated lines first (deduplicate_lines), or take a higher band.",
            kept.described(),
            dropped.described(),
        )
