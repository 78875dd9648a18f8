import os
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from regraft.core import ConfigError, Context, RegraftError, StepFailed
from regraft.corpus.download import Listed, digest, download, listed
from regraft.corpus.ingest import IngestConfig, JsonLines, ingest
from regraft.corpus.objects import ObjectsConfig, fetch_objects
from tests.corpus.given import documents_of, make


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    folder = tmp_path / "bucket"
    (folder / "part two").mkdir(parents=True)
    (folder / "part two" / "b.jsonl").write_text('{"text": "two"}\n')
    (folder / "a.jsonl").write_text('{"text": "one"}\n')
    (folder / "notes.txt").write_text("not this")
    return folder


def said_digest(config: ObjectsConfig) -> str:
    with pytest.raises(ConfigError) as error:
        listed(config)
    found = re.search("set listing='([0-9a-f]{64})'", str(error.value))
    assert found, error.value
    return found.group(1)


def objects(folder: Path, **settings: Any) -> ObjectsConfig:
    given: dict[str, Any] = {"url": f"file://{folder}", "pattern": "*.jsonl"}
    return ObjectsConfig(**{**given, **settings})


def test_objects_become_a_corpus_once_their_listing_is_pinned(tmp_path: Path, bucket: Path) -> None:
    with pytest.raises(StepFailed, match=r"2 objects of 32 bytes from 'a.jsonl' to 'part two/b.jsonl'; no listing"):
        make(fetch_objects.step("raw", objects(bucket)), tmp_path)
    raw = fetch_objects.step("raw", objects(bucket, listing=said_digest(objects(bucket))))
    docs = ingest.step("docs", IngestConfig(source="o", reader=JsonLines(), members="*.jsonl"), files=raw)
    assert [row["text"] for row in documents_of(make(docs, tmp_path))] == ["one", "two"]
    files = make(raw, tmp_path).manifest
    assert [file.path for file in files.files] == ["a.jsonl", "part two/b.jsonl"]
    assert (files.metrics["files"], files.metrics["bytes"]) == (2, 32)


def test_another_listing_is_refused(tmp_path: Path, bucket: Path) -> None:
    config = objects(bucket, listing=said_digest(objects(bucket)))
    (bucket / "a.jsonl").write_text('{"text": "another"}\n')
    with pytest.raises(ConfigError, match=rf"listing {config.listing} is pinned. .* set listing="):
        listed(config)


def test_an_object_that_changes_while_it_is_copied_is_refused(tmp_path: Path, bucket: Path) -> None:
    config = objects(bucket, listing=said_digest(objects(bucket)))
    found = listed(config)
    (bucket / "a.jsonl").write_text('{"text": "another"}\n')
    ctx = Context(out=tmp_path / "out", scratch=tmp_path / "scratch")
    ctx.scratch.mkdir()
    with pytest.raises(RegraftError, match=r"file://.*(recondition|a\.jsonl)"):
        download(config, found, ctx)


def test_what_was_copied_is_not_copied_again(tmp_path: Path, bucket: Path) -> None:
    config = objects(bucket, listing=said_digest(objects(bucket)))
    ctx = Context(out=tmp_path / "out", scratch=tmp_path / "scratch")
    (ctx.scratch / "objects").mkdir(parents=True)
    (ctx.scratch / "objects" / "a.jsonl").write_text("copied before")
    download(config, listed(config), ctx)
    names = sorted(path.relative_to(ctx.scratch / "objects").as_posix() for path in ctx.scratch.rglob("*.jsonl"))
    assert names == ["a.jsonl", "part two/b.jsonl"]
    assert (ctx.scratch / "objects" / "a.jsonl").read_text() == "copied before"


def test_a_web_server_is_asked_for_named_files(tmp_path: Path, bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(bucket)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = ObjectsConfig(url=f"http://127.0.0.1:{server.server_port}", keys=("part two/b.jsonl", "a.jsonl"))
    pinned = ObjectsConfig(url=config.url, keys=config.keys, listing=said_digest(config))
    made = make(fetch_objects.step("raw", pinned), tmp_path)
    server.shutdown()
    assert made.file("part two/b.jsonl").read_text() == '{"text": "two"}\n'


def test_what_cannot_be_had_is_said(bucket: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds 3 objects, and none matches '\*.parquet'"):
        listed(objects(bucket, pattern="*.parquet"))
    with pytest.raises(RegraftError, match=r"nowhere.*Check the address"):
        listed(objects(bucket / "nowhere"))
    (bucket / "manifest.json").write_text("{}")
    with pytest.raises(RegraftError, match="the artifact's own"):
        listed(objects(bucket, pattern="*"))


def test_the_digest_depends_on_all_that_is_listed() -> None:
    one = Listed("a", 1, "x")
    others = [[], [one, one], [Listed("b", 1, "x")], [Listed("a", 2, "x")], [Listed("a", 1, "y")]]
    assert len({digest(each) for each in ([one], *others)}) == 6


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "bucket/prefix"},
        {"url": "ftp://host/x"},
        {"url": "s3://"},
        {"url": "s3://key:secret@bucket/x"},
        {"url": "https://host/x?signature=abc", "keys": ("a",)},
        {"url": "https://host/x"},
        {"url": "s3://bucket", "listing": "abc"},
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as error:
        ObjectsConfig(**settings)
    assert "secret@" not in str(error.value)
    assert "signature" not in str(error.value)


@pytest.mark.network
@pytest.mark.skipif("AWS_ENDPOINT" not in os.environ, reason="needs an S3 endpoint: AWS_ENDPOINT and a bucket `sample`")
def test_a_store_that_speaks_s3(tmp_path: Path, bucket: Path) -> None:
    import obstore
    from obstore.store import from_url

    store: Any = from_url("s3://sample/crawl")
    for path in sorted(bucket.rglob("*.*")):
        obstore.put(store, path.relative_to(bucket).as_posix(), path.read_bytes())
    config = ObjectsConfig(url="s3://sample/crawl", pattern="*.jsonl")
    pinned = ObjectsConfig(url=config.url, pattern=config.pattern, listing=said_digest(config))
    made = make(fetch_objects.step("raw", pinned), tmp_path)
    assert [file.path for file in made.manifest.files] == ["a.jsonl", "part two/b.jsonl"]
