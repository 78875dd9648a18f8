"""A corpus in several shards, through the real runner."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from regraft.core import Context, Kind, Metrics, Step, stage
from regraft.corpus import tables
from regraft.corpus.document import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharded:
    rows: str
    """JSON list."""
    size: int
    """Documents a shard."""


@stage(version=1, makes=Kind.CORPUS)
def sharded_corpus(config: Sharded, ctx: Context) -> Metrics:
    rows = json.loads(config.rows)
    for number, start in enumerate(range(0, len(rows), config.size)):
        table = tables.table_of(rows[start : start + config.size], tables.DOCUMENTS)
        tables.write(ctx.out / f"documents/{number:05}.parquet", table, tables.DOCUMENTS)
        tables.write(ctx.out / f"rejects/{number:05}.parquet", tables.table_of([], tables.REJECTS), tables.REJECTS)
    return {"documents": len(rows)}


def sharded(documents: Sequence[Document], size: int, name: str = "sharded") -> Step[Sharded]:
    return sharded_corpus.step(name, Sharded(rows=json.dumps([d.row() for d in documents]), size=size))
