"""From a training step to the documents that it saw, and from a document to the steps that saw it.

Nothing more is stored than which sequences of which stream a step consumed: the packing is a pure function of the token
artifacts and the config, so it is computed again here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from regraft.core import Artifact, ConfigError, Store, open_artifact
from regraft.mixture.shares import StreamKey
from regraft.training.streams import PackedStream, open_streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A piece of a document that a step consumed."""

    step: int
    stream: str
    sequence: int
    document: str
    start: int
    """First token of the document in this piece, begin token included."""
    stop: int


def documents_of_step(store: Store, artifact: Artifact, step: int) -> list[Seen]:
    """Return what optimizer step `step` of a trained artifact saw, in the order in which it was served.

    Raises:
        ConfigError: the training has no such step.
    """
    if not 1 <= step <= int(artifact.manifest.metrics["steps"] or 0):
        raise ConfigError(f"{artifact.id} has the steps 1 to {artifact.manifest.metrics['steps']}, not {step}.")
    return [seen for seen in _history(store, artifact) if seen.step == step]


def steps_of_document(store: Store, artifact: Artifact, document: str) -> list[Seen]:
    """Return every piece of `document` that a trained artifact consumed, by step."""
    return [seen for seen in _history(store, artifact) if seen.document == document]


def _history(store: Store, artifact: Artifact) -> Iterator[Seen]:
    from regraft.corpus import tables

    streams = {str(key): stream for key, stream in _streams(store, artifact).items()}
    for row in tables.read(artifact.file(tables.SERVED_FILE), tables.SERVED).to_pylist():
        stream = streams[row["stream"]]
        for sequence in range(row["first"], row["first"] + row["count"]):
            for index, start, stop in stream.pieces(sequence % len(stream)):
                yield Seen(
                    step=row["step"],
                    stream=row["stream"],
                    sequence=sequence,
                    document=stream.store.ids[index],
                    start=start,
                    stop=stop,
                )


def _streams(store: Store, artifact: Artifact) -> Mapping[StreamKey, PackedStream]:
    config = artifact.manifest.config
    folders = [open_artifact(store.path(i.artifact)).path for i in artifact.manifest.inputs if i.role == "tokens"]
    return open_streams(folders, config["sequence_length"], config["whole_sources"])
