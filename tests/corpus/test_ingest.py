import gzip
import json
from codecs import BOM_UTF8
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from regraft.core import Artifact, ConfigError, RawFiles, Step, StepFailed
from regraft.corpus.ingest import HtmlPages, IngestConfig, JsonLines, PlainText, _Take, ingest  # pyright: ignore[reportPrivateUsage]
from regraft.corpus.readers import Record
from regraft.corpus.rows import CorpusWriter
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


def test_only_what_is_needed_is_remembered(tmp_path: Path) -> None:
    config = step(tmp_path, files=RawFiles(root=str(tmp_path))).config
    for unique, texts, ids in ((False, 0, 1), (True, 20, 0)):
        with CorpusWriter(tmp_path / str(unique), "ingest") as writer:
            take = _Take(replace(config, unique=unique), writer)
            for n in range(20):
                take(f"file {n}", Record(place="", text=f"text {n}"))
        assert (writer.tally["documents"], len(take.texts), len(take.ids)) == (20, texts, ids)


def test_ids_do_not_depend_on_position(tmp_path: Path, folder: Path) -> None:
    rows = [json.dumps({"text": text}) for text in ("one", "two", "two", "three")]
    ids: list[set[str]] = []
    for order in (rows, rows[::-1]):
        (folder / "a.jsonl").write_text("\n".join(order))
        ids.append({row["id"] for row in documents_of(make(step(folder), tmp_path))})
    assert ids[0] == ids[1]
    assert len(ids[0]) == 4


def test_unique_drops_what_was_read_before(tmp_path: Path, folder: Path) -> None:
    (folder / "a.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    (folder / "b.jsonl").write_text('{"text": "two"}\n{"text": "three"}\n')
    made = make(step(folder, unique=True), tmp_path)
    assert [row["text"] for row in documents_of(made)] == ["one", "two", "three"]
    assert reasons_of(made) == {"b.jsonl:1": "repeated"}
    assert len(documents_of(make(step(folder, max_documents=1), tmp_path))) == 1


def test_pages_are_decoded_by_what_they_say(tmp_path: Path, folder: Path) -> None:
    page = '<html><head><meta charset="{}"></head><body>软件包管理系统</body></html>'
    (folder / "utf8.html").write_text(page.format("utf-8"), "utf-8")
    (folder / "gbk.html").write_bytes(page.format("gbk").encode("gbk"))
    (folder / "broken.html").write_bytes(page.format("utf-8").encode() + b"\xff\xfe\xfa")
    (folder / "empty.html").touch()
    made = make(step(folder, reader=HtmlPages()), tmp_path)
    assert ["软件包管理系统" in row["text"] for row in documents_of(made)] == [True, True]
    assert json.loads(documents_of(made)[0]["meta"]) == {"file": "gbk.html", "format": "html"}
    assert reasons_of(made) == {"broken.html": "encoding", "empty.html": "empty"}


def test_gzip_is_read_and_a_cut_one_is_said(tmp_path: Path, folder: Path) -> None:
    data = gzip.compress(b'{"text": "one"}\n' * 3, mtime=0)
    (folder / "a.jsonl.gz").write_bytes(data)
    (folder / "b.jsonl.gz").write_bytes(data[:-9])
    made = make(step(folder), tmp_path)
    assert reasons_of(made)["b.jsonl.gz"] == "broken_gzip"
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
    with pytest.raises(StepFailed, match="the input is empty"):
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
