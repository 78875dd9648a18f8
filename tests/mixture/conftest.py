import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from regraft.core import Artifact, Context, Execution, Kind, Metrics, Step, Store, run, stage
from regraft.corpus import tables

DEBIAN = "软件包管理器会下载软件包并处理依赖关系，然后安装它们。"
NETWORK = "The firewall drops packets from the network unless a rule lets the connection pass."


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    rows: str


@stage(version=1, makes=Kind.CORPUS)
def given_corpus(config: Given, ctx: Context) -> Metrics:
    rows = tables.table_of(json.loads(config.rows), tables.DOCUMENTS)
    tables.write(ctx.out / "documents/00000.parquet", rows, tables.DOCUMENTS)
    tables.write(ctx.out / "rejects/00000.parquet", tables.table_of([], tables.REJECTS), tables.REJECTS)
    return {}


def corpus(*texts: tuple[str, str]) -> Step[Given]:
    """Return a step that makes a corpus of (language, text), with the ids d0, d1, ..."""
    rows = [
        {"id": f"d{i}", "text": text, "source": "web", "language": language, "parents": [], "meta": "{}"}
        for i, (language, text) in enumerate(texts)
    ]
    return given_corpus.step("docs", Given(rows=json.dumps(rows)))


def make(step: Step[Any], root: Path) -> Artifact:
    store = Store(root / "store")
    return store.resolve(run([step], store, Execution(cache=root / "cache")).steps[step.name])


def annotation(artifact: Artifact, schema: Any) -> list[dict[str, Any]]:
    return tables.read(artifact.file(tables.ANNOTATION_FILE), schema).to_pylist()


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """Ten examples in two languages of each of two topics."""
    packages = [DEBIAN, "apt installs a package with all its dependencies.", "软件包仓库提供更新。"]
    packages += ["The package archive holds source packages.", "用 dpkg 安装软件包文件。"]
    networks = [
        NETWORK,
        "配置网络接口和路由表。",
        "The router forwards packets to the gateway.",
        "防火墙规则阻止连接。",
    ]
    networks += ["An interface gets its address from the network by DHCP."]
    rows = [{"text": t, "topic": "Packages", "language": "zh"} for t in packages]
    rows += [{"text": t, "topic": "Networks", "language": "en"} for t in networks]
    path = tmp_path / "seeds.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path
