"""Cut lines that many pages of a site repeat: navigation, copyright, notices about cookies.

Of each line only a hash is counted, shard by shard, and the counts are merged by ranges of the hash. Which occurrence
stays depends on the order of the corpus alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from regraft.core import ConfigError, Context, Kind, Metrics, stage

if TYPE_CHECKING:
    from regraft.corpus.work import Done


@dataclass(frozen=True, slots=True, kw_only=True)
class LineConfig:
    """Which lines are boilerplate.

    Two lines are one when they have the same words, case, punctuation and which digit it is aside; Chinese is compared
    character by character.

    Source: normal form as in arXiv:1911.00359 (CCNet) [R]. Lines are counted within a source only: arXiv:2406.17557
    (FineWeb) found that removing repeated lines over a whole crawl makes the corpus worse [R].
    """

    max_documents: int = 6
    """Of a source in which a line may stand: it stays in the first so many, and is cut out of those after them.

    Source: arXiv:2407.21783 (Llama 3), lines that are more than 6 times in 30 million documents [R]; there all are
    cut, here what is said six times is not lost.
    """
    min_bytes: int = 24
    """In UTF-8, of a line; shorter ones stay: headings, braces, "Yes.". Four English words, eight Chinese characters.

    Source: not in the paper.
    """
    unit: Literal["line", "paragraph"] = "line"
    """A paragraph ends at an empty line."""
    sources: tuple[str, ...] = ()
    """Only documents of these sources; empty for all. Leave out sources of code, where lines repeat for good reason."""
    num_listed: int = 100
    """Lines in the table."""

    def __post_init__(self) -> None:
        for name in ("max_documents", "min_bytes", "num_listed"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1.")


@stage(version=1, makes=Kind.CORPUS, docs=Kind.CORPUS)
def deduplicate_lines(config: LineConfig, ctx: Context) -> Metrics:
    """Write the documents without repeated lines, in their order; one of which nothing is left is rejected.

    Lines between fences (three backquotes) and lines indented as code stay. `boilerplate.parquet` lists the lines
    that most documents held, for people to look at.

    Raises:
        RegraftError: nothing was kept.
    """
    from regraft.corpus import tables
    from regraft.corpus.dataflow import collect, each
    from regraft.corpus.rows import num_documents
    from regraft.curation.lines.counts import CountLines, MergeCounts, ranges, write_merged
    from regraft.curation.lines.cut import CutLines, listed

    shards = {path.stem: path for path in tables.shards(ctx.input("docs").path, tables.DOCUMENTS_FOLDER)}
    counted = each(CountLines(config), shards, ctx, "count")
    folders = tuple(piece.folder for piece in counted.values())
    merge = MergeCounts(folders, config.max_documents, config.num_listed)
    merged = each(merge, ranges(_total(counted, "lines")), ctx, "merge", unit="parts")
    write_merged([piece.folder for piece in merged.values()], ctx.scratch / "repeated")
    rows = tables.table_of(listed(merged, shards, config), tables.BOILERPLATE)
    tables.write(ctx.out / tables.BOILERPLATE_FILE, rows, tables.BOILERPLATE)
    cut = each(CutLines(config, ctx.scratch / "repeated"), shards, ctx, "deduplicate_lines")
    metrics = collect(cut, ctx, "deduplicate_lines", num_documents(ctx.input("docs")))
    if not metrics.get("changed.lines"):
        ctx.log.warning("deduplicate_lines: no line is in more than %d documents.", config.max_documents)
    return {**metrics, "lines": _total(counted, "lines"), "lines_repeated": _total(merged, "repeated")}


def _total(done: "Mapping[str, Done]", name: str) -> int:
    return sum(piece.counts[name] for piece in done.values())
