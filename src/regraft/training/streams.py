"""Sequences by stream: which pieces of which documents sequence *i* of a stream holds. Knows no tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from regraft.core import ConfigError
from regraft.corpus.tokens import TokenStore
from regraft.mixture.shares import StreamKey

if TYPE_CHECKING:
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


def open_streams(
    folders: Sequence[Path],
    sequence_length: int,
    whole_sources: Sequence[str],
    consumed: Mapping[str, int] | None = None,
) -> dict[StreamKey, PackedStream]:
    """Pack every stream of some TOKENS artifacts.

    Args:
        folders: artifact directories; a stream may occur in one of them only.
        sequence_length: tokens of a sequence.
        whole_sources: sources whose documents are never cut, question-answer pairs for instance.
        consumed: id of a document -> tokens at its start that do not count, since an earlier training had them.

    Raises:
        ConfigError: a stream occurs twice.
    """
    streams: dict[StreamKey, PackedStream] = {}
    for folder in folders:
        for key, stream in _streams_of(TokenStore.open(folder), sequence_length, whole_sources, consumed or {}).items():
            if key in streams:
                raise ConfigError(f"Two token artifacts hold the stream {key}; give their sources different names.")
            streams[key] = stream
    return streams


def _streams_of(
    store: TokenStore, sequence_length: int, whole_sources: Sequence[str], consumed: Mapping[str, int]
) -> dict[StreamKey, PackedStream]:
    from regraft.corpus.packing import concat_and_cut, keep_whole

    streams: dict[StreamKey, PackedStream] = {}
    for (language, source, topic), members in store.streams().items():
        rows = [row for row in members.tolist() if consumed.get(store.ids[row], 0) < store.length[row]]
        skipped = [consumed.get(store.ids[row], 0) for row in rows]
        left = [int(store.length[row]) - skip for row, skip in zip(rows, skipped, strict=True)]
        pack = keep_whole if source in whole_sources else concat_and_cut
        key = StreamKey(language=language, source=source, topic=topic)
        streams[key] = PackedStream(store, rows, skipped, pack(left, sequence_length))
    return streams
