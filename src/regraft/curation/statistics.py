"""How much text there is: per document, and per source and language."""

from dataclasses import dataclass

from regraft.core import ConfigError, Context, Kind, Metrics, optional, stage


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureConfig:
    """How tokens are estimated where the step has no input `model`."""

    bytes_per_token: float = 4.0
    """Source: not in the paper."""

    def __post_init__(self) -> None:
        if self.bytes_per_token <= 0:
            raise ConfigError(f"bytes_per_token is {self.bytes_per_token}; it must be above 0.")


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS, model=optional(Kind.CHECKPOINT))
def measure_documents(config: MeasureConfig, ctx: Context) -> Metrics:
    """Write the size of each document, and `statistics.parquet`: totals and quantiles per source and language.

    Tokens are those of the model's tokenizer, without begin and end token. Without a model they are estimated from
    the bytes, and both the statistics and the metrics call them `tokens_estimated`.
    """
    from regraft.corpus import tables
    from regraft.corpus.work import each
    from regraft.curation.sizes import SIZES_FILE, MeasureShard, statistics

    model = ctx.optional("model")
    shards = {path.stem: path for path in tables.shards(ctx.input("docs").path, tables.DOCUMENTS_FOLDER)}
    tokenizer = model.file("model/tokenizer.json") if model else None
    threads = ctx.execution.workers if len(shards) == 1 else 1
    done = each(MeasureShard(tokenizer, config.bytes_per_token, threads), shards, ctx, "measure")
    with tables.Writer(ctx.out / tables.ANNOTATION_FILE, tables.SIZES) as writer:
        for piece in done.values():
            writer.write(tables.read(piece.folder / SIZES_FILE, tables.SIZES))
    rows = list(statistics(piece.folder for piece in done.values()))
    totals: dict[str, int] = {}
    for row in rows:
        if row["measure"] == "tokens" and model is None:
            row["measure"] = "tokens_estimated"
        totals[row["measure"]] = totals.get(row["measure"], 0) + row["total"]
    tables.write(ctx.out / tables.STATISTICS_FILE, tables.table_of(rows, tables.STATISTICS), tables.STATISTICS)
    return {"documents": sum(piece.counts["documents"] for piece in done.values()), **totals}
