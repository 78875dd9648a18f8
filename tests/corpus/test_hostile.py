"""Folders as they come: everything bad is in the reject table with its place, and nothing else is lost."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from regraft.core import Artifact, ConfigError, Execution, RawFiles, Step, Store, plan
from regraft.core.sources import Hashes, check_unchanged
from regraft.corpus.ingest import (
    HtmlPages,
    IngestConfig,
    JsonLines,
    ParquetTable,
    PlainText,
    Reader,
    WarcPages,
    ingest,
)
from tests.corpus.archives import page, response
from tests.corpus.given import documents_of, make, rejects_of

GOOD = [f"Line {n} of this file is well and stays." for n in range(3)]
LINES = "".join(json.dumps({"text": text}) + "\n" for text in GOOD).encode()
MB = 1024**2


def step(folder: Path, reader: Reader, pattern: str) -> Step[IngestConfig]:
    files = RawFiles(root=str(folder), pattern=pattern)
    return ingest.step("raw", IngestConfig(source="hostile", reader=reader, files=files))


def kept(made: Artifact) -> dict[str, list[str]]:
    """File -> texts."""
    found: dict[str, list[str]] = {}
    for row in documents_of(made):
        found.setdefault(json.loads(row["meta"])["file"], []).append(row["text"])
    return found


def rejected(made: Artifact) -> dict[str, str]:
    metrics: dict[str, Any] = dict(made.manifest.metrics)
    assert metrics["documents"] + metrics["rejected"] == metrics["documents_read"]
    return {row["id"]: row["reason"] for row in rejects_of(made)}


def hostile_lines(folder: Path, long_line: int) -> None:
    (folder / "good.jsonl").write_bytes(LINES)
    (folder / "no-extension").write_bytes(LINES)
    (folder / "broken.jsonl").write_bytes(LINES + b'{"text": "bro\n' + LINES)
    (folder / "invalid.jsonl").write_bytes(LINES + b'{"text": "\xc3\x28"}\n' + LINES)
    (folder / "empty.jsonl").touch()
    (folder / "blank.jsonl").write_bytes(b"\n\n \n")
    (folder / "nul.jsonl").write_bytes(bytes(10_000))
    deep = b'{"text": ' + b"[" * 900 + b'"deep"' + b"]" * 900 + b"}\n"
    (folder / "deep.jsonl").write_bytes(LINES + deep + LINES)
    (folder / "keys.jsonl").write_bytes(LINES + json.dumps({f"key {n}": 1 for n in range(50_000)}).encode())
    (folder / "folder.jsonl").mkdir()
    (folder / "folder.jsonl" / "inside.jsonl").write_bytes(LINES)
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress(LINES)[:-9])
    (folder / "cut.jsonl.zst").write_bytes(zstd.compress(LINES) + zstd.compress(LINES)[:-9])
    (folder / "empty.jsonl.gz").write_bytes(gzip.compress(b""))
    (folder / "unknown.jsonl.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(range(256)))
    (folder / "bomb.jsonl.gz").write_bytes(gzip.compress(LINES + b'{"text": "' + bytes(64 * MB) + b'"}\n' + LINES))
    with (folder / "long.jsonl").open("wb") as file:
        file.write(LINES)
        file.seek(long_line, os.SEEK_CUR)  # a hole: zero bytes that take no room
        file.write(b"\n" + LINES)


@pytest.mark.parametrize("long_line", [20 * MB, pytest.param(200 * MB, marks=pytest.mark.slow)])
def test_a_hostile_folder_of_lines(tmp_path: Path, long_line: int) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    hostile_lines(folder, long_line)
    made = make(step(folder, JsonLines(), "**/*"), tmp_path)
    assert rejected(made) == {
        "broken.jsonl:4": "broken_json",
        "invalid.jsonl:4": "encoding",
        "empty.jsonl": "empty_file",
        "blank.jsonl": "empty_file",
        "nul.jsonl:1": "broken_json",
        "deep.jsonl:4": "broken_json",
        "keys.jsonl:4": "missing_field",
        "cut.jsonl.gz:byte 0": "broken_stream",
        f"cut.jsonl.zst:byte {len(zstd.compress(LINES))}": "broken_stream",
        "empty.jsonl.gz": "empty_file",
        **{f"unknown.jsonl.7z:{line}": reason for line, reason in ((1, "encoding"), (2, "encoding"))},
        "bomb.jsonl.gz:4": "too_large",
        "long.jsonl:4": "too_large",
    }
    assert kept(made) == {
        "bomb.jsonl.gz": GOOD * 2,
        "broken.jsonl": GOOD * 2,
        "cut.jsonl.gz": GOOD,
        "cut.jsonl.zst": GOOD,
        "deep.jsonl": GOOD * 2,
        "folder.jsonl/inside.jsonl": GOOD,
        "good.jsonl": GOOD,
        "invalid.jsonl": GOOD * 2,
        "keys.jsonl": GOOD,
        "long.jsonl": GOOD * 2,
        "no-extension": GOOD,
    }


def test_odd_values_are_kept_as_json(tmp_path: Path) -> None:
    """Numbers of any size, and objects nested deeper than the fast library goes."""
    nested = "[" * 300 + "]" * 300
    (tmp_path / "odd.jsonl").write_text(f'{{"text": "a", "id": {10**30}, "more": NaN, "nested": {nested}}}\n')
    files = RawFiles(root=str(tmp_path), pattern="*.jsonl")
    reader = JsonLines(id="id", keep=("id", "nested"))
    made = make(ingest.step("raw", IngestConfig(source="odd", reader=reader, files=files)), tmp_path)
    (row,) = documents_of(made)
    assert json.loads(row["meta"]) == {"file": "odd.jsonl", "id": str(10**30), "nested": nested}


def test_a_hostile_folder_of_pages(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    good = "<html><body><p>A page that stays.</p></body></html>"
    deep = "<div>" * 200_000 + "deep"
    (folder / "good.html").write_text(good)
    (folder / "deep.html").write_text(deep)
    (folder / "bomb.html").write_bytes(b"<p>" * (2 * MB))
    (folder / "bomb.html.zst").write_bytes(zstd.compress(b"<p>" * (100 * MB // 3)))
    (folder / "empty.html").touch()
    (folder / "nul.html").write_bytes(bytes(5000))
    (folder / "picture.html").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9)
    made = make(step(folder, HtmlPages(), "*.html*"), tmp_path)
    assert kept(made) == {"deep.html": [deep], "good.html": [good]}
    assert rejected(made) == {
        "bomb.html": "too_large",
        "bomb.html.zst": "too_large",
        "empty.html": "empty_file",
        "nul.html": "binary",
        "picture.html": rejected(made)["picture.html"],
    }
    assert rejected(made)["picture.html"] in ("binary", "encoding")


def test_hostile_tables_archives_and_texts(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    pq.write_table(pa.table({"text": GOOD}), folder / "good.parquet")
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), folder / "none.parquet")
    (folder / "cut.parquet").write_bytes((folder / "good.parquet").read_bytes()[:-50])
    (folder / "empty.parquet").touch()
    made = make(step(folder, ParquetTable(), "*.parquet"), tmp_path)
    assert kept(made) == {"good.parquet": GOOD}
    assert rejected(made) == {
        "cut.parquet": "broken_parquet",
        "empty.parquet": "empty_file",
        "none.parquet": "empty_file",
    }
    members = [gzip.compress(response(n, page(n))) for n in range(4)]
    members[1] = members[1][:40] + bytes(40) + members[1][80:]
    (folder / "a.warc.gz").write_bytes(b"".join(members)[:-90])
    made = make(step(folder, WarcPages(), "*.warc.gz"), tmp_path)
    assert [page_.count("Page") for page_ in kept(made)["a.warc.gz"]] == [1, 1]
    assert list(rejected(made).values()) == ["broken_stream", "broken_stream"]
    (folder / "a.txt").write_text(GOOD[0])
    (folder / "nul.txt").write_bytes(bytes(5000))
    made = make(step(folder, PlainText(), "*.txt"), tmp_path)
    assert rejected(made) == {"nul.txt": "binary"}


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize(("make_entry", "what"), [(fifo, "no regular file"), (link, "a link that leads nowhere")])
def test_what_is_no_file_is_said_before_anything_runs(
    tmp_path: Path, make_entry: Callable[[Path], None], what: str
) -> None:
    (tmp_path / "good.jsonl").write_bytes(LINES)
    make_entry(tmp_path / "odd.jsonl")
    planned = step(tmp_path, JsonLines(), "*.jsonl")
    with pytest.raises(ConfigError, match=rf"odd\.jsonl is {what}. Remove it, or name a pattern"):
        plan([planned], Store(tmp_path / "store"), Execution(cache=tmp_path / "cache"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_said_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    (tmp_path / "a.jsonl").chmod(0)
    with pytest.raises(ConfigError, match=r"a\.jsonl cannot be read \(Permission denied\)"):
        plan([step(tmp_path, JsonLines(), "*.jsonl")], Store(tmp_path / "store"), Execution(cache=tmp_path / "cache"))


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"other")])
def test_a_file_that_changes_after_the_plan_is_refused(tmp_path: Path, change: Callable[[Path], Any]) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    execution = Execution(cache=tmp_path / "cache")
    located = plan([step(tmp_path, JsonLines(), "*.jsonl")], Store(tmp_path / "store"), execution)[0].located
    change(tmp_path / "a.jsonl")
    with pytest.raises(ConfigError, match="was changed since this run was planned"):
        check_unchanged(located, Hashes(execution.hashes))
