"""Take benchmark items, and their answers, out of a corpus, and say which items it knows.

The corpus is hashed once: a search of every shard writes what of the index it holds, what follows is decided from all
of that together, and the documents that are to be changed are changed when the shards are copied.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from regraft.core import ConfigError, Context, Kind, Metrics, RegraftError, many, optional, stage
from regraft.corpus.document import Document, Outcome
from regraft.curation.contamination.actions import Cut, Drop, Flag
from regraft.curation.contamination.rules import Rule, TokenNgrams, WordNgrams

if TYPE_CHECKING:
    from regraft.corpus.work import Counts, Done
    from regraft.curation.contamination.index import Index, Part, Split
    from regraft.curation.contamination.verdicts import Finding, Verdicts

__all__ = ["Cut", "DecontaminateConfig", "Drop", "Flag", "Rule", "TokenNgrams", "WordNgrams", "decontaminate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecontaminateConfig:
    """What is looked for, and what is done about it."""

    rule: WordNgrams | TokenNgrams = field(default_factory=WordNgrams)
    action: Drop | Cut | Flag = field(default_factory=Drop)
    max_items: int = 10
    """An n-gram in more items is a template ("which of the following statements"); it is not looked at. Raise it for a
    benchmark where many items share a passage, and mind `items_stop_listed`.

    Source: not in the paper.
    """
    max_documents: int = 10
    """An n-gram in more documents is a phrase, a licence or a formula; it is not looked at. An item that leaked into
    more documents than that goes unseen with it, so deduplicate first, and mind `items_stop_listed`.

    Source: arXiv:2005.14165 (GPT-3), appendix C [R]: frequent 13-grams are ignored; the number as in lm-eval's janitor.
    """
    max_rows: int = 20
    """Documents of an item in the table, those that hold most of it."""

    def __post_init__(self) -> None:
        for name in ("max_items", "max_documents", "max_rows"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1.")


@stage(
    version=2,
    makes=Kind.CORPUS,
    docs=Kind.CORPUS,
    benchmarks=many(Kind.CORPUS),
    model=optional(Kind.CHECKPOINT),
)
def decontaminate(config: DecontaminateConfig, ctx: Context) -> Metrics:
    """Write the corpus without what it shares with benchmark items, and `contamination.parquet`.

    Each document of `benchmarks` is an item; its source names the benchmark. Its text is looked for, and by themselves
    the fields `question` and `answer` of its `meta`.

    Raises:
        ConfigError: the rule needs a tokenizer and none is wired.
        RegraftError: no item is long enough to be looked for, or nothing was kept.
    """
    from regraft.corpus import tables
    from regraft.corpus.dataflow import collect, each
    from regraft.corpus.rows import num_documents
    from regraft.curation.contamination.search import Scan

    corpus, model = ctx.input("docs"), ctx.optional("model")
    split = config.rule.split(model.file("model/tokenizer.json") if model else None)
    parts, index = _index(config.rule, split, ctx)
    shards = {path.stem: path for path in tables.shards(corpus.path, tables.DOCUMENTS_FOLDER)}
    scan = Scan(split, ctx.scratch / "index", config.max_documents)
    verdicts = _verdicts(parts, index, each(scan, shards, ctx, "search"), config)
    items = {name: (shards[name], found) for name, found in verdicts.findings()}
    done = each(Act(config.action), items, ctx, "decontaminate")
    rows = tables.table_of(verdicts.rows(config.action.name, config.max_rows), tables.CONTAMINATION)
    tables.write(ctx.out / tables.CONTAMINATION_FILE, rows, tables.CONTAMINATION)
    figures = verdicts.figures()
    _tell(figures, config, ctx)
    return {**collect(done, ctx, "decontaminate", num_documents(corpus)), **figures}


@dataclass(frozen=True, slots=True)
class Act:
    """Copies a shard, with the action on the documents in which something was found."""

    action: Drop | Cut | Flag

    def __call__(self, item: "tuple[Path, dict[str, Finding]]", out: Path) -> "Counts":
        from regraft.corpus.dataflow import MapShard

        path, found = item

        def kernel(document: Document) -> Outcome:
            return self.action.apply(document, found[document.id]) if document.id in found else document

        return MapShard(kernel, "decontaminate")(path, out)


def _index(rule: Rule, split: "Split", ctx: Context) -> "tuple[list[Part], Index]":
    """Return what is looked for, and write the index for the workers."""
    from regraft.corpus.rows import documents
    from regraft.curation.contamination.index import build_index, part_grams, parts

    found = [part for item in documents(*ctx.inputs["benchmarks"]) for part in parts(item)]
    index = build_index([part_grams(part, split, rule.size) for part in found])
    if not len(index.grams):
        raise RegraftError(f"No part of {len(found)} of the benchmarks is long enough for {rule}.")
    index.save(ctx.scratch / "index")
    return found, index


def _verdicts(parts: "list[Part]", index: "Index", done: "dict[str, Done]", config: DecontaminateConfig) -> "Verdicts":
    from regraft.curation.contamination.verdicts import Verdicts

    folders = {name: piece.folder for name, piece in done.items()}
    return Verdicts(parts, index, folders, config.rule.guilty, config.max_items, config.max_documents)


def _tell(figures: Metrics, config: DecontaminateConfig, ctx: Context) -> None:
    """Say aloud what a reader of figures would overlook."""
    if not figures["items_matched"]:
        ctx.log.info(
            "decontaminate: no document holds any of %s items, which is good news if both are of one language.",
            figures["items"],
        )
    if figures["items_too_short"]:
        ctx.log.warning("decontaminate: %s items are too short to be looked for.", figures["items_too_short"])
    if figures["items_stop_listed"]:
        ctx.log.warning(
            "decontaminate: most of %s items was not looked for, since it is in more than %d documents or %d items. "
            "Deduplicate the corpus first, or raise max_documents or max_items.",
            figures["items_stop_listed"],
            config.max_documents,
            config.max_items,
        )
