"""Steps that hand given rows to the stage under test, through the real runner and store."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regraft.core import Artifact, Context, Execution, Kind, Metrics, Step, Store, run, stage
from regraft.corpus import tables
from regraft.corpus.document import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    rows: str
    """JSON list."""
    per_shard: int = 10**9
    schema: str = "DOCUMENTS"


@stage(version=1, makes=Kind.CORPUS)
def given_corpus(config: Given, ctx: Context) -> Metrics:
    rows = json.loads(config.rows)
    for number, start in enumerate(range(0, max(len(rows), 1), config.per_shard)):
        shard = tables.table_of(rows[start : start + config.per_shard], tables.DOCUMENTS)
        tables.write(ctx.out / f"documents/{number:05}.parquet", shard, tables.DOCUMENTS)
        tables.write(ctx.out / f"rejects/{number:05}.parquet", tables.table_of([], tables.REJECTS), tables.REJECTS)
    return {"documents": len(rows)}


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def given_annotation(config: Given, ctx: Context) -> Metrics:
    schema = getattr(tables, config.schema)
    tables.write(ctx.out / tables.ANNOTATION_FILE, tables.table_of(json.loads(config.rows), schema), schema)
    return {}


def corpus(documents: Sequence[Document], name: str = "given", per_shard: int = 10**9) -> Step[Given]:
    rows = json.dumps([document.row() for document in documents])
    return given_corpus.step(name, Given(rows=rows, per_shard=per_shard))


def make(step: Step[Any], root: Path, execution: Execution | None = None) -> Artifact:
    """Run a step with all that it needs and return its artifact."""
    record = run([step], Store(root / "store"), execution or Execution(cache=root / "cache"))
    found = Store(root / "store").resolve(record.steps[step.name])
    return found


def documents_of(artifact: Artifact) -> list[dict[str, Any]]:
    return tables.read_shards(artifact.path, "documents", tables.DOCUMENTS).to_pylist()


def rejects_of(artifact: Artifact) -> list[dict[str, Any]]:
    return tables.read_shards(artifact.path, "rejects", tables.REJECTS).to_pylist()


def digest_of(artifact: Artifact) -> str:
    """Of all rows of a corpus, whatever the bytes of the files are."""
    rows = json.dumps([documents_of(artifact), rejects_of(artifact)], sort_keys=True)
    return hashlib.sha256(rows.encode()).hexdigest()[:16]
