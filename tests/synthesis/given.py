"""A small English and Chinese corpus as a stage, for the tests of this room."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from regraft.core import Context, Kind, Metrics, stage
from regraft.corpus import tables
from regraft.corpus.document import Document, document_id

PAGES = {
    "kernel": (
        "en",
        "Chapter 2. The kernel\n"
        "The kernel is a program that manages the hardware and lends it to all other programs. It decides "
        "which process "
        "runs on which processor, and for how long it may run before the next one is served.\n"
        "A driver is a part of the kernel that speaks with one kind of device. Most drivers are modules, "
        "which the kernel "
        "loads when a device is found and which can be removed again while the system runs.\n",
    ),
    "mirrors": (
        "en",
        "Mirrors\n"
        "A mirror is a server that holds a copy of the whole archive. Mirrors are updated four times a day, and a user "
        "chooses one that is near, because near servers mostly answer faster than servers far away.\n"
        "- deb http://deb.example.org stable main\n"
        "The signature of the release file shows that a mirror changed nothing. The package manager checks "
        "this signature "
        "before it trusts any list of packages, and it refuses packages whose checksum differs from the list.\n",
    ),
    "code": ("en", "Listing\nfor i in $(seq 10); do echo $i; done\n- one\n- two\n"),
    "内核": (
        "zh",
        "内核\n内核是一种管理硬件的程序，它把处理器和内存分配给其他程序。它决定哪个进程在哪个处理器上运行，以及运行多长时间。\n",
    ),
}


def digest(rows: Sequence[dict[str, Any]]) -> str:
    """Return 16 hexadecimal digits over all values of some rows, to pin them in a golden test."""
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesConfig:
    topics: bool = False


def page_documents() -> list[Document]:
    return [
        Document(id=document_id("pages", name, text), text=text, source="pages", language=language)
        for name, (language, text) in PAGES.items()
    ]


@stage(version=1, makes=Kind.CORPUS)
def pages(config: PagesConfig, ctx: Context) -> Metrics:
    """Write the pages as documents."""
    table = tables.table_of((d.row() for d in page_documents()), tables.DOCUMENTS)
    tables.write(ctx.out / "documents/00000.parquet", table, tables.DOCUMENTS)
    tables.write(ctx.out / "rejects/00000.parquet", tables.REJECTS.empty_table(), tables.REJECTS)
    return {"documents": len(PAGES)}


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def page_topics(config: PagesConfig, ctx: Context) -> Metrics:
    """Give each page a topic."""
    rows = [{"id": d.id, "topic": name, "probability": 1.0} for d, name in zip(page_documents(), PAGES, strict=True)]
    tables.write(ctx.out / tables.ANNOTATION_FILE, tables.table_of(rows, tables.TOPICS), tables.TOPICS)
    return {}
