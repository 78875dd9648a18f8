"""What a run left behind, read from the store alone: manifests and tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from regraft.core import Artifact, Kind, Run, Store, open_artifact
from regraft.corpus import tables

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The artifacts of a run by step, in the order of the run."""

    store: Store
    record: Run
    steps: Mapping[str, Artifact]

    @property
    def artifacts(self) -> list[Artifact]:
        """Each artifact once, in the order of the run."""
        return list({artifact.id: artifact for artifact in self.steps.values()}.values())

    def name(self, artifact: Artifact) -> str:
        """Return the name of the (first) step for which an artifact stands in this run."""
        return next((n for n, a in self.steps.items() if a.id == artifact.id), artifact.manifest.step)

    def of_kind(self, kind: Kind) -> list[Artifact]:
        return [a for a in self.artifacts if a.manifest.kind is kind]

    def trainings(self) -> list[Artifact]:
        """Return the checkpoints that hold a record of their training."""
        return [a for a in self.of_kind(Kind.CHECKPOINT) if (a.path / tables.STEPS_FILE).is_file()]

    def comparisons(self) -> list[Artifact]:
        """Return the evaluations that compare two models."""
        return [a for a in self.of_kind(Kind.EVALUATION) if self.inputs(a, "before")]

    def evaluations(self) -> list[Artifact]:
        """Return the evaluations of one model."""
        return [a for a in self.of_kind(Kind.EVALUATION) if not self.inputs(a, "before")]

    def inputs(self, artifact: Artifact, role: str) -> list[Artifact]:
        """Return what an artifact was made from in one role."""
        return [open_artifact(self.store.path(i.artifact)) for i in artifact.manifest.inputs if i.role == role]


def collect(store: Store, record: Run) -> Evidence:
    """Open every artifact of a run.

    Raises:
        ArtifactError: one of them is no longer in the store.
    """
    steps = {name: open_artifact(store.path(artifact)) for name, artifact in record.steps.items()}
    return Evidence(store=store, record=record, steps=steps)


def rows(artifact: Artifact, file: str, schema: pa.Schema, columns: Sequence[str] | None = None) -> Rows:
    """Return the rows of a table of an artifact, checked; none where it has no such table."""
    path = artifact.path / file
    return tables.read(path, schema, columns).to_pylist() if path.is_file() else []


def is_table(artifact: Artifact, file: str, schema: pa.Schema) -> bool:
    """Return whether an artifact holds a table with exactly the columns of `schema`."""
    path = artifact.path / file
    return path.is_file() and pq.read_schema(path).names == schema.names


def documents(corpus: Artifact) -> Iterator[dict[str, Any]]:
    """Yield the rows of all documents of a corpus, in order."""
    for path in tables.shards(corpus.path, tables.DOCUMENTS_FOLDER):
        for batch in tables.batches(path, tables.DOCUMENTS, 256):
            yield from batch.to_pylist()


def first_documents(corpus: Artifact, num_per_source: int, max_rows: int = 20_000) -> Rows:
    """Return the first documents of each source, looking at no more than `max_rows`; memory stays small."""
    found: dict[str, Rows] = {}
    for row in islice(documents(corpus), max_rows):
        kept = found.setdefault(row["source"], [])
        if len(kept) < num_per_source:
            kept.append(row)
    return [row for kept in found.values() for row in kept]
