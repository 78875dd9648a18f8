"""What a training consumed, by stream, and under which licences: from its tables, read a stretch at a time."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from regraft.core import Artifact
from regraft.training.history import STRETCH

LICENCE_KEYS = ("license", "licence", "license_type", "rights")
"""Keys of a document's `meta` that may hold its licence; the first one there counts."""
UNKNOWN = "unknown"


@dataclass(slots=True)
class StreamUse:
    """What a training consumed of one stream, and the shares by which it was served."""

    language: str
    source: str
    topic: str
    tokens: int = 0
    """Begin and end tokens included."""
    documents: set[str] = field(default_factory=set[str])
    """Ids of those of which at least a part was consumed."""
    first_share: float = 0.0
    """Of the whole mixture, as decided first; 0 where nothing was ever decided of it."""
    last_share: float = 0.0


def stream_uses(training: Artifact, last_step: int) -> list[StreamUse]:
    """Return what a training consumed of each stream up to a step, sorted by name, without those never served."""
    uses: dict[str, StreamUse] = {}
    for stream, id_, tokens in _served(training, last_step):
        if stream not in uses:
            language, source, topic = stream.split("/", 2)
            uses[stream] = StreamUse(language, source, topic)
        uses[stream].tokens += tokens
        uses[stream].documents.add(id_)
    for stream, share in _shares(training, last_step):
        if stream in uses:
            uses[stream].first_share = uses[stream].first_share or share
            uses[stream].last_share = share
    return [uses[name] for name in sorted(uses)]


def licences(corpora: Sequence[Artifact], ids: set[str]) -> dict[str, Counter[str]]:
    """Return how many of some documents stand under which licence, by source; `unknown` where their meta has none."""
    from regraft.corpus import tables

    found: dict[str, Counter[str]] = defaultdict(Counter)
    for corpus in corpora:
        for path in tables.shards(corpus.path, tables.DOCUMENTS_FOLDER):
            for batch in tables.batches(path, tables.DOCUMENTS, STRETCH, ["id", "source", "meta"]):
                for row in batch.to_pylist():
                    if row["id"] in ids:
                        found[row["source"]][_licence(row["meta"])] += 1
    return {source: found[source] for source in sorted(found)}


def _served(training: Artifact, last_step: int) -> Iterator[tuple[str, str, int]]:
    """Yield stream, document and tokens consumed of it, summed over a stretch of the training."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from regraft.corpus import tables

    columns = ["step", "stream", "id", "start", "stop"]
    for rows in tables.batches(training.file(tables.SERVED_FILE), tables.SERVED, STRETCH, columns):
        batch = rows.filter(pc.less_equal(rows["step"], last_step))  # pyright: ignore[reportAttributeAccessIssue]
        tokens = pc.subtract(batch["stop"], batch["start"])  # pyright: ignore[reportAttributeAccessIssue]
        table = pa.table({"stream": batch["stream"], "id": batch["id"], "tokens": tokens})
        sums = table.group_by(["stream", "id"], use_threads=False).aggregate([("tokens", "sum")])
        yield from zip(*(sums[name].to_pylist() for name in ("stream", "id", "tokens_sum")), strict=True)


def _shares(training: Artifact, last_step: int) -> Iterator[tuple[str, float]]:
    """Yield stream and share, in the order of decisions."""
    from regraft.corpus import tables

    for row in tables.read(training.file(tables.SHARES_FILE), tables.SHARES, ["step", "stream", "share"]).to_pylist():
        if row["step"] <= last_step:
            yield row["stream"], row["share"]


def _licence(meta: str) -> str:
    given = json.loads(meta or "{}")
    return next((str(given[key]) for key in LICENCE_KEYS if given.get(key)), UNKNOWN)
