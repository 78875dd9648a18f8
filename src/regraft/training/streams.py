"""Sequences by stream: which pieces of which documents sequence *i* of a stream holds. Knows no tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from regraft.core import ConfigError
from regraft.corpus.tokens import TokenStore
from regraft.mixture.pacing import Gate, Levels, levels_of
from regraft.mixture.shares import StreamKey

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from regraft.corpus.packing import Packing


@dataclass(frozen=True, slots=True, eq=False)
class PackedStream:
    """A stream cut into sequences: its documents in order, and the pieces of them that each sequence holds."""

    store: TokenStore
    rows: Sequence[int]
    """Rows of the store's index, in order."""
    skipped: Sequence[int]
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
            (self.rows[document], start + self.skipped[document], stop + self.skipped[document])
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
) -> dict[StreamKey, PackedStream]:
    """Pack every stream of some TOKENS artifacts.

    Args:
        folders: artifact directories; a stream may occur in one of them only.
        sequence_length: tokens of a sequence.
        whole_sources: sources whose documents are never cut, question-answer pairs for instance.
        consumed: id of a document -> tokens at its start that do not count, since an earlier training had them.
        gate: its sources are packed bucket by bucket, where they have documents for so many.

    Raises:
        ConfigError: a stream occurs twice, or one that is gated has no difficulty or is not ordered by it.
    """
    streams: dict[StreamKey, PackedStream] = {}
    for folder in folders:
        store = TokenStore.open(folder)
        for (language, source, topic), members in store.streams().items():
            key = StreamKey(language=language, source=source, topic=topic)
            if key in streams:
                raise ConfigError(f"Two token artifacts hold the stream {key}; give their sources different names.")
            levels = _levels(key, store, members.tolist(), gate) if gate and source in gate.sources else None
            whole = source in whole_sources
            streams[key] = _packed(store, members.tolist(), sequence_length, whole, consumed or {}, levels)
    return streams


def _packed(
    store: TokenStore,
    members: Sequence[int],
    sequence_length: int,
    whole: bool,
    consumed: Mapping[str, int],
    levels: Levels | None,
) -> PackedStream:
    """Pack one stream, each bucket by itself: a document left for later has not begun in a bucket before."""
    from regraft.corpus.packing import concat_and_cut, joined, keep_whole

    pack = keep_whole if whole else concat_and_cut
    fresh = [consumed.get(store.ids[row], 0) < store.length[row] for row in members]
    rows = [row for row, left in zip(members, fresh, strict=True) if left]
    skipped = [consumed.get(store.ids[row], 0) for row in rows]
    sizes = [int(store.length[row]) - skip for row, skip in zip(rows, skipped, strict=True)]
    starts = [sum(fresh[:start]) for start in levels.starts] if levels else [0]
    spans = zip(starts, [*starts[1:], len(rows)], strict=True)
    parts = [pack(sizes[first:end], sequence_length) for first, end in spans]
    buckets = tuple(len(part) for part in parts) if levels else ()
    return PackedStream(store, rows, skipped, joined(parts, starts), store.measure, levels, buckets)


def _levels(key: StreamKey, store: TokenStore, members: Sequence[int], gate: Gate) -> Levels | None:
    if not store.measure:
        raise ConfigError(f"{key} is paced by held-out loss, but was tokenized without a difficulty; wire one there.")
    try:
        return levels_of(store.difficulty[members].tolist(), gate.num_buckets)
    except ConfigError as error:
        error.add_note(f"in the stream {key}")
        raise
