from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from regraft.core import Artifact, Context, Execution, Kind, Metrics, RegraftError, SchemaError, StepFailed, stage
from regraft.corpus import tables
from regraft.corpus.dataflow import _outcome, in_order  # pyright: ignore[reportPrivateUsage]
from regraft.corpus.document import Document, Reject
from regraft.corpus.rows import CorpusWriter
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
    monkeypatch.setattr("regraft.corpus.dataflow.SERIAL", 1000)
    one, two = made(2500, tmp_path / "1", workers=1), made(2500, tmp_path / "2", workers=2)
    assert one.manifest.content_digest == two.manifest.content_digest


def test_a_reject_without_a_reason_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        Reject("")
    made = make(mute.step("mute", Mute(), docs=corpus(documents(3))), tmp_path)
    assert [(row["id"], row["reason"], row["detail"]) for row in rejects_of(made)] == [
        ("d1", "error", "ValueError: A reject needs a reason.")
    ]


def test_an_outcome_is_kept_by_its_flag_alone() -> None:
    """An empty reason on the way must not turn a reject into a document."""
    row = Document(id="a", text="text", source="s").row()
    assert _outcome({**row, "reason": "", "detail": "", "kept": True}) == Document(**row)
    assert _outcome({**row, "reason": "short", "detail": "", "kept": False}) == Reject("short")
    with pytest.raises(ValueError, match="needs a reason"):
        _outcome({**row, "reason": "", "detail": "", "kept": False})


def test_the_documents_of_an_input_are_all_accounted_for(tmp_path: Path) -> None:
    first, _, third = documents(3)
    with CorpusWriter(tmp_path, "split") as writer:
        writer.keep(first)
        writer.leave()
        writer.put(third, Reject("short"))
        assert writer.metrics(3)["other_part"] == 1
        with pytest.raises(RegraftError, match="read 4 documents, but kept 1, rejected 1 and left 1"):
            writer.metrics(4)


def test_a_key_that_is_no_column_is_an_error() -> None:
    row = Document(id="a", text="text", source="s").row()
    assert tables.table_of([row], tables.DOCUMENTS).num_rows == 1
    with pytest.raises(SchemaError, match=r"keys \['colour'\]"):
        tables.table_of([row, {**row, "colour": "red"}], tables.DOCUMENTS)


def test_rows_that_come_in_any_order_are_put_right() -> None:
    given_documents = [Document(id=id_, text=id_, source="s") for id_ in "abcd"]
    outcomes: list[tuple[str, Document | Reject]] = [(d.id, d) for d in given_documents]
    shuffled = [outcomes[i] for i in (2, 0, 3, 1)]
    assert [outcome for _, outcome in in_order(given_documents, iter(shuffled))] == given_documents
    for broken, message in (
        (shuffled[1:], "c was lost"),
        (shuffled[:1] * 2, "c came twice"),
        ([*shuffled, ("e", Reject("x"))], "More came back"),
    ):
        with pytest.raises(RegraftError, match=message):
            list(in_order(given_documents, iter(broken)))


def test_nothing_kept_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"read 1 documents and kept none: \{'rejected.short': 1\}"):
        make(shout.step("loud", Loud(), docs=corpus([Document(id="a", text="x", source="s")])), tmp_path)
    with pytest.raises(StepFailed, match="the input is empty"):
        make(shout.step("loud", Loud(), docs=corpus([])), tmp_path)
