"""Sequences by stream: which pieces of which documents sequence *i* of a stream holds. Knows no tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from regraft.core import ConfigError
from regraft.corpus.tokens import TokenStore
from regraft.mixture.pacing import Gate, Levels, levels_of
from regraft.mixture.shares import StreamKey

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from regraft.corpus.packing import Packing

    Ints = npt.NDArray[np.int64]

PackingWay = Literal["concat", "best_fit"]
"""How documents become sequences; see `corpus.packing`."""


@dataclass(frozen=True, slots=True, eq=False)
class PackedStream:
    """A stream cut into sequences: its documents in order, and the pieces of them that each sequence holds."""

    store: TokenStore
    rows: "Ints"
    """Rows of the store's index, in order."""
    skipped: "Ints"
    """Tokens at the start of each document that do not count."""
    packing: "Packing"
    measure: str = ""
    """Of the difficulty of its documents; empty when they have none."""
    levels: Levels | None = None
    """Where its buckets of difficulty begin; None when it has none."""
    bucket_sizes: tuple[int, ...] = ()
    """Sequences of each bucket; no sequence lies in two."""

    def __len__(self) -> int:
        return len(self.packing)

    def pieces(self, sequence: int) -> list[tuple[int, int, int]]:
        """Return (row of the index, first token, end) of each piece of a document in a sequence."""
        return [
            (int(self.rows[document]), start + int(self.skipped[document]), stop + int(self.skipped[document]))
            for document, start, stop in self.packing.pieces(sequence)
        ]

    def named_pieces(self, sequence: int) -> list[tuple[str, int, int]]:
        """Return (id of the document, first token, end) of each piece in a sequence."""
        return [(self.store.ids[row], start, stop) for row, start, stop in self.pieces(sequence)]

    def tokens(self, sequence: int) -> "list[npt.NDArray[np.uint16 | np.uint32]]":
        """Return the tokens of each piece in a sequence."""
        return [self.store.document(row)[start:stop] for row, start, stop in self.pieces(sequence)]


def open_streams(
    folders: Sequence[Path],
    sequence_length: int,
    whole_sources: Sequence[str],
    consumed: Mapping[str, int] | None = None,
    gate: Gate | None = None,
    packing: PackingWay = "concat",
) -> dict[StreamKey, PackedStream]:
    """Pack every stream of some TOKENS artifacts.

    Args:
        folders: artifact directories; a stream may occur in one of them only.
        sequence_length: tokens of a sequence.
        whole_sources: sources whose documents are never cut, question-answer pairs for instance.
        consumed: id of a document -> tokens at its start that do not count, since an earlier training had them.
        gate: its sources are packed bucket by bucket, where they have documents for so many.
        packing: of all other sources.

    Raises:
        ConfigError: a stream occurs twice, or one that is gated has no difficulty or is not ordered by it.
    """
    streams: dict[StreamKey, PackedStream] = {}
    for folder in folders:
        store = TokenStore.open(folder)
        for (language, source, topic), members in store.streams.items():
            key = StreamKey(language=language, source=source, topic=topic)
            if key in streams:
                raise ConfigError(f"Two token artifacts hold the stream {key}; give their sources different names.")
            levels = _levels(key, store, members, gate) if gate and source in gate.sources else None
            way = "whole" if source in whole_sources else packing
            streams[key] = _packed(store, members, sequence_length, way, consumed or {}, levels)
    return streams


def _packed(
    store: TokenStore,
    members: "Ints",
    sequence_length: int,
    way: Literal["concat", "best_fit", "whole"],
    consumed: Mapping[str, int],
    levels: Levels | None,
) -> PackedStream:
    """Pack one stream, each bucket by itself: a document left for later has not begun in a bucket before."""
    import numpy as np

    from regraft.corpus.packing import best_fit, concat_and_cut, joined, keep_whole

    pack = {"concat": concat_and_cut, "best_fit": best_fit, "whole": keep_whole}[way]
    skipped = _consumed(store, members, consumed)
    fresh = skipped < store.length[members]
    rows, skipped = members[fresh], skipped[fresh]
    sizes = store.length[rows] - skipped
    begun = np.concatenate([[0], np.cumsum(fresh)])  # fresh documents before each of the stream
    starts = begun[list(levels.starts)].tolist() if levels else [0]
    spans = zip(starts, [*starts[1:], len(rows)], strict=True)
    parts = [pack(sizes[first:end], sequence_length) for first, end in spans]
    buckets = tuple(len(part) for part in parts) if levels else ()
    return PackedStream(store, rows, skipped, joined(parts, starts), store.measure, levels, buckets)


def _consumed(store: TokenStore, members: "Ints", consumed: Mapping[str, int]) -> "Ints":
    """Return how many tokens of each document do not count."""
    import numpy as np

    if not consumed:
        return np.zeros(len(members), np.int64)
    return np.fromiter((consumed.get(id_, 0) for id_ in store.ids.at(members)), np.int64, len(members))


def _levels(key: StreamKey, store: TokenStore, members: "Ints", gate: Gate) -> Levels | None:
    if not store.measure:
        raise ConfigError(f"{key} is paced by held-out loss, but was tokenized without a difficulty; wire one there.")
    try:
        return levels_of(store.difficulty[members].tolist(), gate.num_buckets)
    except ConfigError as error:
        error.add_note(f"in the stream {key}")
        raise
