import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from regraft.core import ConfigError, StepFailed
from regraft.corpus.hub import DatasetConfig, fetch_dataset
from regraft.corpus.ingest import IngestConfig, JsonLines, ingest
from tests.corpus.given import documents_of, make

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "README.md": b"# Sample",
    "data/b.jsonl": b'{"text": "two"}\n',
    "data/a.jsonl": b'{"text": "one"}\n',
    "load.py": b"raise SystemExit('data is never run')",
    "manifest.json": b"{}",
}


class Hub(BaseHTTPRequestHandler):
    """What the hub's client asks of the hub, for one dataset."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        file = path.partition(f"/resolve/{COMMIT}/")[2]
        if file in FILES:
            self.answer(FILES[file], "application/octet-stream")
        elif re.fullmatch(rf"/api/datasets/user/sample/tree/({COMMIT}|main)", path):
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in FILES.items()
            ]
            self.answer(json.dumps(tree).encode())
        elif re.fullmatch(rf"/api/datasets/user/sample(/revision/({COMMIT}|main))?", path):
            self.answer(json.dumps({"id": "user/sample", "sha": COMMIT, "siblings": []}).encode())
        else:
            self.answer(b'{"error": "not found"}', status=404)

    def answer(self, data: bytes, type_: str = "application/json", status: int = 200) -> None:
        self.send_response(status)
        for key, value in {
            "Content-Type": type_,
            "Content-Length": str(len(data)),
            "ETag": f'"{hashlib.sha1(data).hexdigest()}"',
            "X-Repo-Commit": COMMIT,
        }.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from huggingface_hub import constants

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield
    server.shutdown()


def dataset(**settings: Any) -> DatasetConfig:
    given: dict[str, Any] = {"name": "user/sample", "revision": COMMIT, "members": ("data/*",)}
    return DatasetConfig(**{**given, **settings})


@pytest.mark.usefixtures("hub")
def test_a_dataset_of_the_hub_becomes_a_corpus(tmp_path: Path) -> None:
    raw = fetch_dataset.step("raw", dataset())
    reader = JsonLines()
    docs = ingest.step("docs", IngestConfig(source="sample", reader=reader, members="data/*.jsonl"), files=raw)
    made = make(docs, tmp_path)
    assert [row["text"] for row in documents_of(made)] == ["one", "two"]
    files = make(raw, tmp_path)
    assert [file.path for file in files.manifest.files] == ["data/a.jsonl", "data/b.jsonl"]
    assert files.manifest.metrics == {"files": 2, "bytes": 32, "origin": f"user/sample@{COMMIT}"}


@pytest.mark.usefixtures("hub")
def test_a_branch_is_refused_with_the_commit_to_give(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=rf"'main' is a branch or tag.*commit {COMMIT} now"):
        make(fetch_dataset.step("raw", dataset(revision="main")), tmp_path)


@pytest.mark.usefixtures("hub")
def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"nothing that matches '\*.parquet'; it begins with \['README.md'"):
        make(fetch_dataset.step("raw", dataset(members=("data/*", "*.parquet"))), tmp_path)
    with pytest.raises(StepFailed, match=r"(?s)user/other@0123.* cannot be had.*HF_TOKEN"):
        make(fetch_dataset.step("raw", dataset(name="user/other")), tmp_path)
    with pytest.raises(StepFailed, match="the artifact's own"):
        make(fetch_dataset.step("raw", dataset(members=("*",))), tmp_path)


@pytest.mark.parametrize("settings", [{"name": "../x"}, {"name": "a/b/c"}, {"revision": ""}, {"members": ()}])
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        dataset(**settings)
