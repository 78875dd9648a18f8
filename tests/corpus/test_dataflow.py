import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from regraft.core import Artifact, Context, Execution, Kind, Metrics, RegraftError, SchemaError, StepFailed, stage
from regraft.corpus import tables
from regraft.corpus.document import Changed, Document, Outcome, Reject
from regraft.corpus.rows import CorpusWriter
from regraft.corpus.rows import documents as read_all
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Loud:
    """Upper case; drops short texts and fails on some."""

    shortest: int = 2

    def __call__(self, document: Document) -> Document | Reject:
        if "bad" in document.text:
            raise ValueError(f"cannot read {document.text}")
        if len(document.text) < self.shortest:
            return Reject("short", f"{len(document.text)} characters")
        return replace(document, text=document.text.upper(), language="en")


@stage(version=1, makes=Kind.CORPUS, docs=Kind.CORPUS)
def shout(config: Loud, ctx: Context) -> Metrics:
    from regraft.corpus.dataflow import transform

    return transform(config, ctx, "shout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Drops the second document without saying why."""

    def __call__(self, document: Document) -> Document | Reject:
        return Reject("") if document.id == "d1" else document


@stage(version=1, makes=Kind.CORPUS, docs=Kind.CORPUS)
def mute(config: Mute, ctx: Context) -> Metrics:
    from regraft.corpus.dataflow import transform

    return transform(config, ctx, "mute")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retold:
    """Writes the documents again, in as many shards as they fill."""


@stage(version=1, makes=Kind.CORPUS, docs=Kind.CORPUS)
def retold(config: Retold, ctx: Context) -> Metrics:
    with CorpusWriter(ctx.out, "retold") as writer:
        for document in read_all(ctx.input("docs")):
            writer.keep(document)
    return writer.tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Takes digits away."""

    def __call__(self, document: Document) -> Outcome:
        text = "".join(c for c in document.text if not c.isdigit())
        found = len(document.text) - len(text)
        return Changed(replace(document, text=text), {"digits": found}) if found else document


@stage(version=1, makes=Kind.CORPUS, docs=Kind.CORPUS)
def cut(config: Cut, ctx: Context) -> Metrics:
    from regraft.corpus.dataflow import transform

    return transform(config, ctx, "cut")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadly:
    """Ends the process on one document, and spins on another."""

    def __call__(self, document: Document) -> Document:
        if document.id == "d1":
            os._exit(9)
        while document.id == "d5":
            pass
        return document


@stage(version=1, makes=Kind.CORPUS, docs=Kind.CORPUS)
def risk(config: Deadly, ctx: Context) -> Metrics:
    from regraft.corpus.dataflow import transform

    return transform(config, ctx, "risk", max_seconds=0.5)


def documents(count: int) -> list[Document]:
    texts = [f"bad {n}" if n % 50 == 7 else "x" if n % 50 == 9 else f"text {n} 文" for n in range(count)]
    return [Document(id=f"d{n}", text=text, source="s", parents=["p"]) for n, text in enumerate(texts)]


def made(count: int, root: Path, workers: int = 2) -> Artifact:
    return make(shout.step("loud", Loud(), docs=corpus(documents(count))), root, Execution(workers=workers))


def test_a_failing_row_becomes_a_reject_and_order_stays(tmp_path: Path) -> None:
    artifact = made(300, tmp_path)
    expected = [d for d in documents(300) if d.text != "x" and "bad" not in d.text]
    assert [row["id"] for row in documents_of(artifact)] == [d.id for d in expected]
    assert documents_of(artifact)[0] == replace(expected[0], text="TEXT 0 文", language="en").row()
    rejects = rejects_of(artifact)
    assert len(rejects) == 12
    assert rejects[0] == {
        "id": "d7",
        "source": "s",
        "stage": "shout",
        "reason": "error",
        "detail": "ValueError: cannot read bad 7",
        "excerpt": "bad 7",
    }
    assert digest_of(artifact) == "f8fe637eedd6dfe2"
    assert artifact.manifest.metrics["rejected.error"] == artifact.manifest.metrics["rejected.short"] == 6


def test_the_number_of_workers_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regraft.corpus.rows.SHARD_BYTES", 200)
    monkeypatch.setattr("regraft.corpus.work.SERIAL", 0)
    raw = retold.step("raw", Retold(), docs=corpus(documents(100)))
    loud = shout.step("loud", Loud(), docs=raw)
    one, two = (make(loud, tmp_path / str(n), Execution(workers=n)) for n in (1, 2))
    assert len(tables.shards(one.path, "documents")) > 4
    assert one.manifest.content_digest == two.manifest.content_digest
    assert [row["id"] for row in documents_of(one)] == [d.id for d in documents(100) if d.text[0] == "t"]


def test_many_shards_and_empty_ones_keep_their_order(tmp_path: Path) -> None:
    """Of 60 shards some keep nothing; both stages write one shard for each, and no document moves."""
    raw = corpus(documents(60), per_shard=1)
    loud = make(cut.step("cut", Cut(), docs=shout.step("loud", Loud(), docs=raw)), tmp_path, Execution(workers=1))
    assert len(tables.shards(loud.path, "documents")) == len(tables.shards(loud.path, "rejects")) == 60
    assert [row["id"] for row in documents_of(loud)] == [d.id for d in documents(60) if d.text[0] == "t"]


def test_what_kernels_changed_is_summed_up(tmp_path: Path) -> None:
    made = make(cut.step("cut", Cut(), docs=corpus(documents(20))), tmp_path)
    assert made.manifest.metrics["changed.documents"] == 19
    assert made.manifest.metrics["changed.digits"] == 9 + 2 * 10


def test_a_document_that_ends_its_worker_is_passed_over(tmp_path: Path) -> None:
    """One takes its process down, one never ends: both are rejects, and all others are kept."""
    made = make(risk.step("risk", Deadly(), docs=corpus(documents(7))), tmp_path)
    assert [row["id"] for row in documents_of(made)] == ["d0", "d2", "d3", "d4", "d6"]
    assert [(row["id"], row["reason"]) for row in rejects_of(made)] == [("d1", "worker_died"), ("d5", "worker_died")]


def test_a_reject_without_a_reason_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        Reject("")
    made = make(mute.step("mute", Mute(), docs=corpus(documents(3))), tmp_path)
    assert [(row["id"], row["reason"], row["detail"]) for row in rejects_of(made)] == [
        ("d1", "error", "ValueError: A reject needs a reason.")
    ]


def test_the_documents_of_an_input_are_all_accounted_for(tmp_path: Path) -> None:
    first, _, third = documents(3)
    with CorpusWriter(tmp_path, "split") as writer:
        writer.keep(first)
        writer.leave()
        writer.put(third, Reject("short"))
    assert writer.tally.checked("split", 3, tmp_path)["other_part"] == 1
    with pytest.raises(RegraftError, match="read 4 documents, but kept 1, rejected 1 and left 1"):
        writer.tally.checked("split", 4, tmp_path)


def test_a_key_that_is_no_column_is_an_error() -> None:
    row = Document(id="a", text="text", source="s").row()
    assert tables.table_of([row], tables.DOCUMENTS).num_rows == 1
    with pytest.raises(SchemaError, match=r"keys \['colour'\]"):
        tables.table_of([row, {**row, "colour": "red"}], tables.DOCUMENTS)


def test_nothing_kept_is_an_error(tmp_path: Path) -> None:
    given = [Document(id="bad", text="bad\nword", source="s"), *(Document(id=i, text=i, source="s") for i in "xy")]
    with pytest.raises(StepFailed) as failed:
        make(shout.step("loud", Loud(), docs=corpus(given)), tmp_path)
    said = str(failed.value)
    assert "read 3 documents and kept none: {'rejected.error': 1, 'rejected.short': 2}." in said
    assert "For instance, as short: x (1 characters): x\n`regraft rejects` shows more." in said
    with pytest.raises(StepFailed, match="the input is empty"):
        make(shout.step("loud", Loud(), docs=corpus([])), tmp_path)
