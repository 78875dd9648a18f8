"""A tiny store: a small model, a bilingual held-out corpus with topics, a file of questions."""

import json
from dataclasses import dataclass
from itertools import cycle, islice

import pytest

from regraft.core import Context, Kind, Metrics, Store, stage
from regraft.corpus import tables
from regraft.lm.tiny import TinyConfig, make_tiny

TEXTS = [
    ("en", "wikipedia", "", "The old apple tree in the orchard was grafted again in spring and bore fruit in autumn."),
    ("en", "wikipedia", "", "A root that has grown for ninety years feeds whatever shoot the gardener joins to it."),
    ("en", "pubmed", "", "Patients were followed for two years; the graft was kept in eighty of ninety cases."),
    ("zh", "debian-zh", "Networking", "网络接口的配置保存在一个文本文件里，系统启动时会读取它。"),
    ("zh", "debian-zh", "Networking", "防火墙按照规则逐条检查每个数据包，然后决定放行还是丢弃。"),
    ("zh", "debian-zh", "Security", "请定期安装安全更新，并且只从可信的来源获取软件包。"),
    ("zh", "debian-zh", "Security", "口令应当足够长，并且不要在不同的服务之间重复使用。"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextsConfig:
    """Documents as (language, source, topic, text)."""

    rows: tuple[tuple[str, str, str, str], ...] = tuple(TEXTS)
    files: tuple[str, ...] = ()
    """Pages that the documents are, in turn; empty: records of one file."""


MANY_TEXTS = tuple(
    (language, source, topic, f"{text} {number}")
    for number, (language, source, topic, text) in enumerate(islice(cycle(TEXTS), 42))
)
"""Enough for intervals: 24 in Chinese, 12 of wikipedia, 6 of pubmed."""


@stage(version=1, makes=Kind.CORPUS)
def make_corpus(config: TextsConfig, ctx: Context) -> Metrics:
    rows = [
        {"id": f"d{i}", "text": text, "source": source, "language": language, "parents": [], "meta": _meta(config, i)}
        for i, (language, source, _, text) in enumerate(config.rows)
    ]
    tables.write(ctx.out / "documents/00000.parquet", tables.table_of(rows, tables.DOCUMENTS), tables.DOCUMENTS)
    tables.write(ctx.out / "rejects/00000.parquet", tables.table_of([], tables.REJECTS), tables.REJECTS)
    return {}


def _meta(config: TextsConfig, number: int) -> str:
    if not config.files:
        return json.dumps({"file": "package/data/test.jsonl"})
    return json.dumps({"file": config.files[number % len(config.files)], "format": "html"})


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def make_topics(config: TextsConfig, ctx: Context) -> Metrics:
    rows = [{"id": f"d{i}", "topic": topic, "probability": 1.0} for i, (_, _, topic, _) in enumerate(config.rows)]
    tables.write(ctx.out / tables.ANNOTATION_FILE, tables.table_of(rows, tables.TOPICS), tables.TOPICS)
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesConfig:
    """Lines of `questions/test.jsonl`."""

    lines: tuple[str, ...]


@stage(version=1, makes=Kind.FILES)
def make_files(config: LinesConfig, ctx: Context) -> Metrics:
    (ctx.out / "questions").mkdir()
    (ctx.out / "questions" / "test.jsonl").write_text("\n".join(config.lines) + "\n", "utf-8")
    return {}


def question_line(number: int, right: int = 0) -> str:
    options = [f"{'ABCD'[i]}. answer {number} {'abcd'[i] * (i + 1)}" for i in range(4)]
    return json.dumps({"question": f"What is {number}?", "options": "\n".join(options), "answer": options[right]})


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def model():
    return make_tiny.step("backbone", TinyConfig(texts=tuple(row[3] for row in TEXTS), vocab_size=400))


@pytest.fixture
def other_model():
    return make_tiny.step("trained", TinyConfig(texts=tuple(row[3] for row in TEXTS), vocab_size=400, seed=1))


@pytest.fixture
def corpus():
    return make_corpus.step("corpus/held-out", TextsConfig())


@pytest.fixture
def many_documents():
    return make_corpus.step("corpus/many", TextsConfig(rows=MANY_TEXTS))


@pytest.fixture
def topics(corpus):
    return make_topics.step("topics/held-out", TextsConfig(), docs=corpus)
