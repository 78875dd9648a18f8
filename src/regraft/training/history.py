"""From a training step to the documents that it saw, and from a document to the steps that saw it."""

from collections.abc import Iterator
from dataclasses import dataclass

from regraft.core import Artifact, ConfigError, open_artifact

TRAIN = "train"
"""Name of the training stage."""


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
    return [seen for seen in _history(artifact) if seen.step == step]


def steps_of_document(artifact: Artifact, document: str) -> list[Seen]:
    """Return every piece of `document` that a trained artifact consumed, by step."""
    return [seen for seen in _history(artifact) if seen.id == document]


def consumed_tokens(artifact: Artifact) -> dict[str, int]:
    """Return how many tokens of each document the training of a checkpoint, and those before it, consumed.

    Documents are consumed from their start on. Empty for a checkpoint that was not trained here. Earlier artifacts are
    looked for beside this one.
    """
    consumed: dict[str, int] = {}
    while artifact.manifest.stage == TRAIN:
        for seen in _history(artifact):
            consumed[seen.id] = max(seen.stop, consumed.get(seen.id, 0))
        model = next(i.artifact for i in artifact.manifest.inputs if i.role == "model")
        artifact = open_artifact(artifact.path.parent / model)
    return consumed


def _history(artifact: Artifact) -> Iterator[Seen]:
    from regraft.corpus import tables

    for batch in tables.batches(artifact.file(tables.SERVED_FILE), tables.SERVED, 10_000):
        yield from (Seen(**row) for row in batch.to_pylist())
