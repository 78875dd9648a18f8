"""From a training step to the documents that it saw, and from a document to the steps that saw it.

The table SERVED of a long training has more rows than memory holds. It is in the order of steps and is read in row
groups, those only whose statistics say that they may hold what is asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from regraft.core import Artifact, ConfigError, open_artifact
from regraft.corpus.tokenizer import tokenizer_sha256

TRAIN = "train"
"""Name of the training stage."""
KEPT_STAGE = "take_kept"
"""Name of the stage that takes a model which a training kept on its way."""
MODEL_ROLES = ("model", "models", "base")
"""Inputs of stages whose weights live on in what they make."""
STRETCH = 65_536
"""Rows of SERVED in memory at once."""
WHOLE = 2**62
"""Consumed tokens of a document that counts as consumed to its end, whatever its length is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A piece of a document that a step consumed: a row of the table SERVED."""

    step: int
    stream: str
    sequence: int
    id: str
    start: int
    stop: int


def documents_of_step(artifact: Artifact, step: int) -> list[Seen]:
    """Return what optimizer step `step` of a trained artifact saw, in the order in which it was served.

    Raises:
        ConfigError: the training has no such step.
    """
    if not 1 <= step <= int(artifact.manifest.metrics["steps"] or 0):
        raise ConfigError(f"{artifact.id} has the steps 1 to {artifact.manifest.metrics['steps']}, not {step}.")
    return _where(artifact, "step", step)


def steps_of_document(artifact: Artifact, document: str) -> list[Seen]:
    """Return every piece of `document` that a trained artifact consumed, by step."""
    return _where(artifact, "id", document)


def passed_over(artifact: Artifact, document: str) -> list[Seen]:
    """Return every piece of `document` that steps had served which a roll-back then took back, by step."""
    from regraft.corpus import tables

    return _where(artifact, "id", document, tables.SKIPPED_FILE)


def consumed_tokens(artifact: Artifact) -> dict[str, int]:
    """Return how many tokens of each document the training of a checkpoint, and those before it, consumed.

    Documents are consumed from their start on. A training whose tokenizer is not the checkpoint's any more, since the
    vocabulary was extended after it, counted other tokens: each document that it began is consumed to its end
    (`WHOLE`), so that no text is trained on twice, and the rest of one that was cut is given up. Empty for a checkpoint
    that was not trained here. Memory is that of the documents, not of the pieces that were served.
    """
    consumed: dict[str, int] = {}
    for training in trainings(artifact):
        least = 0 if _tokenizer(training) == _tokenizer(artifact) else WHOLE
        for ids, stops in _furthest(training):
            for id_, stop in zip(ids, stops, strict=True):
                consumed[id_] = max(stop, least, consumed.get(id_, 0))
    return consumed


def ancestors(checkpoint: Artifact) -> list[Artifact]:
    """Return a checkpoint and every one whose weights live on in it, each once and after those that it was made from.

    Earlier artifacts are looked for beside this one.
    """
    found: dict[str, Artifact] = {}

    def visit(artifact: Artifact) -> None:
        for given in artifact.manifest.inputs:
            if given.role in MODEL_ROLES and given.artifact not in found:
                visit(open_artifact(artifact.path.parent / given.artifact))
        found[artifact.id] = artifact

    visit(checkpoint)
    return list(found.values())


def trainings(checkpoint: Artifact) -> list[Artifact]:
    """Return every training that a checkpoint went through, oldest first, across merges and the like."""
    return [artifact for artifact in ancestors(checkpoint) if artifact.manifest.stage == TRAIN]


def steps_within(checkpoint: Artifact) -> list[tuple[Artifact, int]]:
    """Return every training that a checkpoint went through, oldest first, and the last of its steps that it has seen.

    That is the training's last one, unless all that came of it was kept on the way (`take_kept`).
    """
    last: dict[str, int] = {}

    def visit(artifact: Artifact, at_most: int) -> None:
        if artifact.manifest.stage == TRAIN:
            steps = min(at_most, int(artifact.manifest.metrics["steps"] or 0))
            last[artifact.id] = max(steps, last.get(artifact.id, 0))
        at_most = int(artifact.manifest.config["step"]) if artifact.manifest.stage == KEPT_STAGE else WHOLE
        for given in artifact.manifest.inputs:
            if given.role in MODEL_ROLES:
                visit(open_artifact(artifact.path.parent / given.artifact), at_most)

    visit(checkpoint, WHOLE)
    return [(training, last[training.id]) for training in trainings(checkpoint)]


def _tokenizer(checkpoint: Artifact) -> str:
    return tokenizer_sha256(checkpoint.file("model/tokenizer.json"))


def _furthest(training: Artifact) -> Iterator[tuple[list[str], list[int]]]:
    """Yield ids and how far each was consumed, for a stretch of the training at a time."""
    import pyarrow as pa

    from regraft.corpus import tables

    for batch in tables.batches(training.file(tables.SERVED_FILE), tables.SERVED, STRETCH, ["id", "stop"]):
        most = pa.Table.from_batches([batch]).group_by("id", use_threads=False).aggregate([("stop", "max")])
        yield most["id"].to_pylist(), most["stop_max"].to_pylist()


def _where(artifact: Artifact, column: str, value: Any, file: str = "") -> list[Seen]:
    """Return the rows of SERVED, or of another file of that schema, in which a column has a value, in their order."""
    from regraft.corpus import tables
    from regraft.corpus.matching import matching

    found = matching(artifact.file(file or tables.SERVED_FILE), tables.SERVED, column, value)
    return [Seen(**row) for rows in found for row in rows.to_pylist()]
