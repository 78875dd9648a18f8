import gzip
import json
import os
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from regraft.core import Artifact, ConfigError, Execution, RawFiles, Step, StepFailed
from regraft.corpus import ingest as ingest_module
from regraft.corpus import reading, rows, tables
from regraft.corpus.ingest import HtmlPages, IngestConfig, JsonLines, PlainText, groups, ingest
from regraft.corpus.readers import Record, Unreadable
from tests.corpus.given import digest_of, documents_of, make, rejects_of


def step(root: Path, **settings: Any) -> Step[IngestConfig]:
    config: dict[str, Any] = {"source": "notes", "reader": JsonLines(), "files": RawFiles(root=str(root))}
    return ingest.step("raw", IngestConfig(**{**config, **settings}))


def reasons_of(artifact: Artifact) -> dict[str, str]:
    return {row["id"]: row["reason"] for row in rejects_of(artifact)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


def test_bad_lines_become_rejects_with_their_place(tmp_path: Path, folder: Path) -> None:
    lines = [
        b'{"text": "The first line is fine.", "title": "One"}',
        b'{"text": "broken',
        b'{"passage": "another field"}',
        b'{"text": "bad \xff byte"}',
        b'{"text": 7}',
        b'["a list"]',
        b'{"text": "  "}',
        b"",
        b'{"text": "' + b"x" * 300 + b'"}',
        b'{"text": "half a pair \\ud800"}',
        b"[" * 190,
        '{"text": "最后一行没有问题。"}'.encode(),
    ]
    (folder / "a.jsonl").write_bytes(b"\n".join(lines))
    made = make(step(folder, reader=JsonLines(title="title", max_bytes=200), language="en"), tmp_path)
    assert [row["text"] for row in documents_of(made)] == ["The first line is fine.", "最后一行没有问题。"]
    assert json.loads(documents_of(made)[0]["meta"]) == {"file": "a.jsonl", "title": "One"}
    assert reasons_of(made) == {
        "a.jsonl:2": "broken_json",
        "a.jsonl:3": "missing_field",
        "a.jsonl:4": "encoding",
        "a.jsonl:5": "missing_field",
        "a.jsonl:6": "missing_field",
        "a.jsonl:7": "empty",
        "a.jsonl:9": "too_large",
        "a.jsonl:10": "encoding",
        "a.jsonl:11": "broken_json",
    }
    assert made.manifest.metrics["documents_read"] == 11


def test_lines_that_python_cannot_read_become_rejects(tmp_path: Path, folder: Path) -> None:
    number, nested = b'{"text": ' + b"7" * 5000 + b"}", b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    (folder / "a.jsonl").write_bytes(b"\n".join([number, nested, b'{"text": "fine"}']))
    made = make(step(folder), tmp_path)
    assert reasons_of(made) == {"a.jsonl:1": "broken_json", "a.jsonl:2": "broken_json"}
    assert [row["text"] for row in documents_of(made)] == ["fine"]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path, folder: Path) -> None:
    (folder / "a.jsonl").write_bytes(BOM_UTF8 + b'{"text": "one"}\n' + BOM_UTF8 + b'{"text": "two"}\n')
    made = make(step(folder), tmp_path)
    assert [row["text"] for row in documents_of(made)] == ["one"]
    assert reasons_of(made) == {"a.jsonl:2": "broken_json"}


def test_ids_differ_inside_a_file_and_between_files(tmp_path: Path, folder: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (folder / name).write_text('{"text": "one", "id": "k"}\n' * 3)
    for reader in (JsonLines(), JsonLines(id="id")):
        made = make(step(folder, reader=reader), tmp_path)
        assert len({row["id"] for row in documents_of(made)}) == 6


def test_memory_of_texts_is_bounded(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.jsonl").write_text('{"text": "one"}\n' * 7)
    monkeypatch.setattr(reading, "REMEMBERED", 3)
    assert len({row["id"] for row in documents_of(make(step(folder), tmp_path))}) == 7


def test_ids_do_not_depend_on_position(tmp_path: Path, folder: Path) -> None:
    rows = [json.dumps({"text": text}) for text in ("one", "two", "two", "three")]
    ids: list[set[str]] = []
    for order in (rows, rows[::-1]):
        (folder / "a.jsonl").write_text("\n".join(order))
        ids.append({row["id"] for row in documents_of(make(step(folder), tmp_path))})
    assert ids[0] == ids[1]
    assert len(ids[0]) == 4


def test_a_sample_is_spread_over_the_files(tmp_path: Path, folder: Path) -> None:
    for file in range(10):
        (folder / f"{file}.jsonl").write_text("".join(f'{{"text": "{file}.{n}"}}\n' for n in range(100)))
    few = [row["text"] for row in documents_of(make(step(folder, sample=5), tmp_path))]
    assert few == ["0.0", "2.0", "4.0", "6.0", "8.0"]
    many = [row["text"] for row in documents_of(make(step(folder, sample=21), tmp_path))]
    assert many == [f"{file}.{n}" for file in range(10) for n in range(3)]
    chosen = RawFiles(root=str(folder), max_files=2)
    assert len(documents_of(make(step(folder, files=chosen, sample=6), tmp_path))) == 6


def test_groups_of_files_do_not_show_in_the_documents(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in range(7):
        (folder / f"{file}.jsonl").write_text("".join(f'{{"text": "{file}.{n}"}}\n' for n in range(20)))
    one = make(step(folder), tmp_path / "one")
    monkeypatch.setattr(ingest_module, "GROUP_FILES", 3)
    monkeypatch.setattr(rows, "SHARD_BYTES", 30)
    many = make(step(folder), tmp_path / "many", Execution(cache=tmp_path, workers=1))
    assert digest_of(many) == digest_of(one)
    shards = [path.name for path in tables.shards(many.path, "documents")]
    assert shards[:2] == ["000000-00000.parquet", "000000-00001.parquet"]
    assert {name[:6] for name in shards} == {"000000", "000001", "000002"}


def test_large_files_are_groups_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "GROUP_BYTES", 10)
    files = [(name, tmp_path / name) for name in "abcde"]
    for (_, path), size in zip(files, (4, 4, 99, 5, 6), strict=True):
        path.write_bytes(bytes(size))
    assert [[name for name, _ in group.files] for group in groups(files)] == [["a", "b"], ["c"], ["d"], ["e"]]


def test_workers_make_the_same_shards(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in range(4):
        (folder / f"{file}.jsonl").write_text("".join(f'{{"text": "{file}.{n}"}}\n' for n in range(20)))
    monkeypatch.setattr(ingest_module, "GROUP_FILES", 1)
    made = [make(step(folder), tmp_path / str(n), Execution(cache=tmp_path, workers=n)) for n in (1, 2)]
    assert made[0].manifest.content_digest == made[1].manifest.content_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadly:
    """Reads a line a record; ends the process on the word "die"."""

    def records(self, name: str, file: BinaryIO) -> Iterator[Record | Unreadable]:
        for line in file:
            if line == b"die\n":
                os._exit(9)
            yield Record(place=name, text=line.decode())


def test_a_file_on_which_workers_die_loses_its_rest_only(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.txt").write_text("one\ntwo\n")
    (folder / "b.txt").write_text("three\ndie\nfour\n")
    (folder / "c.txt").write_text("five\n")
    (folder / "d.txt").write_text("six\n")
    monkeypatch.setattr(ingest_module, "GROUP_FILES", 3)
    made = make(step(folder, reader=Deadly()), tmp_path, Execution(cache=tmp_path / "cache", workers=2))
    assert [row["text"].strip() for row in documents_of(made)] == ["one", "two", "three", "five", "six"]
    assert reasons_of(made) == {"b.txt": "worker_died"}


def test_language_and_format_come_from_record_or_source(tmp_path: Path, folder: Path) -> None:
    (folder / "a.jsonl").write_text('{"text": "one", "l": "de"}\n{"text": "two"}\n')
    made = make(step(folder, reader=JsonLines(language="l"), language="en", format="code"), tmp_path)
    assert [row["language"] for row in documents_of(made)] == ["de", "en"]
    assert json.loads(documents_of(made)[0]["meta"]) == {"file": "a.jsonl", "format": "code"}


def test_pages_are_decoded_by_what_they_say(tmp_path: Path, folder: Path) -> None:
    page = '<html><head><meta charset="{}"></head><body>软件包管理系统</body></html>'
    (folder / "utf8.html").write_text(page.format("utf-8"), "utf-8")
    (folder / "gbk.html").write_bytes(page.format("gbk").encode("gbk"))
    (folder / "broken.html").write_bytes(page.format("utf-8").encode() + b"\xff\xfe\xfa")
    (folder / "empty.html").touch()
    made = make(step(folder, reader=HtmlPages()), tmp_path)
    assert ["软件包管理系统" in row["text"] for row in documents_of(made)] == [True, True]
    assert json.loads(documents_of(made)[0]["meta"]) == {"file": "gbk.html", "format": "html"}
    assert reasons_of(made) == {"broken.html": "encoding", "empty.html": "empty_file"}


def test_gzip_is_read_and_a_cut_one_is_said(tmp_path: Path, folder: Path) -> None:
    data = gzip.compress(b'{"text": "one"}\n' * 3, mtime=0)
    (folder / "a.jsonl.gz").write_bytes(data)
    (folder / "b.jsonl.gz").write_bytes(data[:-9])
    made = make(step(folder), tmp_path)
    assert reasons_of(made)["b.jsonl.gz:byte 0"] == "broken_stream"
    assert documents_of(made)[0]["text"] == "one"


def test_plain_text_is_one_document_a_file(tmp_path: Path, folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbfa text\nof two lines\n")
    (folder / "b.txt").write_bytes(b"\xff\xfe")
    made = make(step(folder, reader=PlainText()), tmp_path)
    assert [row["text"] for row in documents_of(made)] == ["a text\nof two lines\n"]
    assert reasons_of(made) == {"b.txt": "encoding"}


def test_output_is_pinned(tmp_path: Path, folder: Path) -> None:
    (folder / "a.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n{"tex')
    made = make(step(folder, language="en"), tmp_path)
    assert (ingest.version, digest_of(made)) == (3, "96987d9a56a55a57")


def test_no_text_at_all_is_an_error(tmp_path: Path, folder: Path) -> None:
    (folder / "a.jsonl").write_text('{"no": 1}\n')
    with pytest.raises(StepFailed, match=r"read 1 documents and kept none: \{'rejected.missing_field': 1\}"):
        make(step(folder), tmp_path)
    (folder / "a.jsonl").write_text("")
    with pytest.raises(StepFailed, match=r"rejected\.empty_file"):
        make(step(folder), tmp_path)


def test_missing_files_are_an_error_before_anything_runs(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        make(step(tmp_path / "nowhere"), tmp_path)
    with pytest.raises(ConfigError, match="matches"):
        make(step(folder), tmp_path)
    with pytest.raises(ConfigError, match="give one of them"):
        step(folder, members="*.jsonl")
    with pytest.raises(StepFailed, match="no input `files`"):
        make(step(folder, files=None, members="*.jsonl"), tmp_path)
