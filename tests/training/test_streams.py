"""Streams packed from a TOKENS artifact that is written by hand: every document counts its own tokens from 0."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regraft.core import ConfigError
from regraft.corpus import tables
from regraft.corpus.tokens import FORM_FILE, TokenForm
from regraft.mixture.pacing import GatedByLoss
from regraft.mixture.shares import StreamKey
from regraft.training.streams import PackedStream, open_streams

FORM = TokenForm(
    dtype="uint16",
    vocab_size=100,
    begin=None,
    end=None,
    tokenizer_sha256="",
    largest_token=99,
    measure="loss_per_byte",
)
WEB, PAIRS = (StreamKey(language="en", source=source, topic="-") for source in ("web", "pairs"))


def written(path: Path, lengths: Mapping[str, list[int]]) -> Path:
    """Write documents `web-0`, `web-1`, ... of these lengths, their difficulty rising, the sources in turn."""
    most = max(map(len, lengths.values()))
    documents = [(s, i, n[i]) for i in range(most) for s, n in lengths.items() if i < len(n)]
    rows: list[dict[str, Any]] = []
    for source, i, length in documents:
        offset = sum(row["length"] for row in rows)
        sizes = {"offset": offset, "length": length, "bytes": length, "difficulty": float(i)}
        rows.append({"id": f"{source}-{i}", "language": "en", "source": source, "topic": "-", **sizes})
    path.mkdir()
    tables.write(path / tables.INDEX_FILE, tables.table_of(rows, tables.INDEX), tables.INDEX)
    np.concatenate([np.arange(length, dtype=np.uint16) for *_, length in documents]).tofile(path / tables.TOKENS_FILE)
    (path / FORM_FILE).write_text(json.dumps(asdict(FORM)))
    return path


def pieces(stream: PackedStream) -> list[list[tuple[str, int, int]]]:
    return [stream.named_pieces(i) for i in range(len(stream))]


def test_each_source_is_packed_in_its_way(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", {"web": [4, 5, 3, 6], "pairs": [4, 5, 6]})
    concat = open_streams([folder], 10, ["pairs"])
    assert pieces(concat[WEB]) == [
        [("web-0", 0, 4), ("web-1", 0, 5), ("web-2", 0, 1)],
        [("web-2", 1, 3), ("web-3", 0, 6)],
    ]
    best = open_streams([folder], 10, ["pairs"], packing="best_fit")
    assert pieces(best[WEB]) == [[("web-1", 0, 5), ("web-2", 0, 3)], [("web-0", 0, 4), ("web-3", 0, 6)]]
    whole = [[("pairs-0", 0, 4), ("pairs-1", 0, 5)], [("pairs-2", 0, 6)]]
    assert pieces(concat[PAIRS]) == pieces(best[PAIRS]) == whole
    assert [best[WEB].packing.report().cut, concat[WEB].packing.report().cut] == [0, 1]


def test_what_was_consumed_before_does_not_count_and_the_rest_keeps_its_place(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", {"web": [4, 5, 3, 6]})
    stream = open_streams([folder], 6, [], {"web-0": 4, "web-1": 2, "web-3": 5, "elsewhere": 9})[WEB]
    assert pieces(stream) == [[("web-1", 2, 5), ("web-2", 0, 3)], [("web-3", 5, 6)]]
    assert [part.tolist() for part in stream.tokens(0)] == [[2, 3, 4], [0, 1, 2]]
    assert [type(number) for number in stream.pieces(0)[0]] == [int, int, int]


def test_buckets_are_packed_by_themselves_whatever_was_consumed(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", {"web": [4, 4, 4, 4, 4, 4]})
    gate = GatedByLoss(sources=("web",), num_buckets=3)
    stream = open_streams([folder], 5, [], {"web-0": 4, "web-3": 1}, gate)[WEB]
    assert stream.bucket_sizes == (1, 2, 2)
    assert pieces(stream)[:2] == [[("web-1", 0, 4)], [("web-2", 0, 4), ("web-3", 1, 2)]]
    assert pieces(stream)[3][0] == ("web-4", 0, 4)


def test_all_consumed_is_a_stream_of_nothing(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", {"web": [4]})
    for packing in ("concat", "best_fit"):
        assert len(open_streams([folder], 5, [], {"web-0": 4}, packing=packing)[WEB]) == 0


def test_a_stream_in_two_artifacts_is_refused(tmp_path: Path) -> None:
    folders = [written(tmp_path / name, {"web": [4]}) for name in "ab"]
    with pytest.raises(ConfigError, match=r"hold the stream en/web/-"):
        open_streams(folders, 5, [])
