import bz2
import gzip
import io
import lzma
import random
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from regraft.corpus.compression import BrokenStream, codec_of, decompressed

ENDINGS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstd.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
RANDOM = random.Random(0).randbytes(300_000)


@pytest.mark.parametrize("ending", ENDINGS)
@given(parts=st.lists(st.binary(max_size=3000), max_size=4), padding=st.integers(0, 3))
def test_all_members_are_read_as_one(ending: str, parts: list[bytes], padding: int) -> None:
    data = b"".join(map(ENDINGS[ending], parts)) + bytes(4 * padding)
    assert decompressed(f"a.{ending}", io.BytesIO(data)).read() == b"".join(parts)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("cut", [1, 5, 100, 200_000])
def test_all_before_a_cut_is_read_and_the_cut_is_said(ending: str, cut: int) -> None:
    first = ENDINGS[ending](b"first")
    stream = decompressed(f"a.{ending}", io.BytesIO(first + ENDINGS[ending](RANDOM)[:-cut]))
    parts: list[bytes] = []
    with pytest.raises(BrokenStream, match=f"begins at byte {len(first)} ends too early") as error:
        parts.extend(iter(lambda: stream.read1(10_000), b""))  # pyright: ignore[reportAttributeAccessIssue]
    found = b"".join(parts)
    assert error.value.offset == len(first)
    assert (b"first" + RANDOM).startswith(found)
    whole_blocks = 0 if ending == "gz" else 1 << 20  # what the others can decompress at once
    assert len(found) > len(RANDOM) - cut - whole_blocks


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_no_such_stream_is_said(ending: str) -> None:
    with pytest.raises(BrokenStream, match=r"begins at byte 0 is corrupt"):
        decompressed(f"a.{ending}", io.BytesIO(b"plain text, whatever the name says")).read()
    with pytest.raises(BrokenStream):
        decompressed(f"a.{ending}", io.BytesIO(ENDINGS[ending](b"one") + b"garbage behind")).read()


def test_a_flipped_bit_is_found_by_the_checksum() -> None:
    data = bytearray(gzip.compress(RANDOM, compresslevel=0))
    data[1000] ^= 1
    with pytest.raises(BrokenStream, match="corrupt"):
        decompressed("a.gz", io.BytesIO(bytes(data))).read()


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_a_bomb_is_unpacked_no_further_than_it_is_read(ending: str) -> None:
    bomb = io.BytesIO(ENDINGS[ending](bytes(200_000_000)))
    stream = decompressed(f"a.{ending}", bomb)
    assert len(stream.read(1000)) == 1000
    assert bomb.tell() <= 1 << 16


def test_other_names_are_read_as_they_are() -> None:
    assert codec_of("a.jsonl") is codec_of("no ending") is codec_of("gz") is codec_of("a.7z") is None
    file = io.BytesIO(b"x")
    assert decompressed("a.jsonl", file) is file
