import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from regraft.core import ConfigError, Execution, SchemaError, Step, StepFailed, Store
from regraft.corpus import tables
from regraft.corpus.document import Document
from regraft.corpus.tokens import TokenForm, TokenizeConfig, TokenStore, tokenize
from regraft.lm.tiny import TinyConfig, make_tiny
from tests.corpus.given import Given, corpus, given_annotation, make

DOCUMENTS = (
    Document(id="a", text="The kernel schedules processes.", source="debian", language="en"),
    Document(id="b", text="内核负责调度进程。", source="debian", language="zh"),
    Document(id="c", text="A file system stores files.", source="wikipedia", language="en"),
    Document(id="d", text="文件系统保存文件。<|endoftext|>", source="debian", language="zh"),
    Document(id="e", text="软件包管理器安装软件。", source="debian", language="zh"),
)


@dataclass(frozen=True, slots=True)
class Hardest:
    """Hardest first."""

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        return sorted(range(len(ids)), key=lambda i: (-difficulty[i], ids[i]))


@dataclass(frozen=True, slots=True)
class AsTheyAre:
    """Leaves the order alone."""

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        return list(range(len(ids)))


MEASURES = ("compression_ratio", "lexical_diversity", "sentence_length", "reading_ease", "math_density")


def topics(docs: Step[Any], labels: dict[str, str]) -> Step[Any]:
    rows = [{"id": id_, "topic": topic, "probability": 0.9} for id_, topic in labels.items()]
    return given_annotation.step("topics", Given(rows=json.dumps(rows), schema="TOPICS"), docs=docs)


def losses(docs: Step[Any], values: dict[str, float]) -> Step[Any]:
    rows = [{"id": id_, "loss": loss, "tokens": 2, "bytes": 9} for id_, loss in values.items()]
    return given_annotation.step("losses", Given(rows=json.dumps(rows), schema="LOSSES"), docs=docs)


def lengths(docs: Step[Any]) -> Step[Any]:
    return losses(docs, {document.id: float(len(document.text)) for document in DOCUMENTS})


def step(config: TokenizeConfig, documents: Sequence[Document] = DOCUMENTS, **inputs: Any) -> Step[TokenizeConfig]:
    docs = corpus(documents)
    wired = {role: function(docs) for role, function in inputs.items()}
    return tokenize.step("tokens", config, docs=docs, model=make_tiny.step("model", TinyConfig()), **wired)


def test_documents_come_back_as_they_were(tmp_path: Path) -> None:
    made = make(step(TokenizeConfig()), tmp_path)
    store = TokenStore.open(made.path)
    model = next(a for a in Store(tmp_path / "store").artifacts() if a.manifest.step == "model")
    tokenizer = Tokenizer.from_file(str(model.file("model/tokenizer.json")))
    texts = {document.id: document.text for document in DOCUMENTS}
    assert sorted(store.ids) == sorted(texts)
    for row, id_ in enumerate(store.ids):
        ids = store.document(row).tolist()
        assert (ids[0], ids[-1]) == (store.begin, store.end)
        assert store.begin not in ids[1:-1], "a separator written in a text is text"
        assert tokenizer.decode(ids[1:-1], skip_special_tokens=False) == texts[id_]
        assert store.bytes[row] == len(texts[id_].encode())
    assert store.tokens.dtype == np.uint16
    assert made.manifest.metrics["tokens"] == len(store.tokens)
    assert TokenForm.read(made.path).largest_token == int(store.tokens.max())


def test_rows_stand_by_stream_and_in_order_inside_it(tmp_path: Path) -> None:
    labels = {"a": "Kernel", "b": "Kernel", "c": "Files", "d": "Kernel", "e": "Kernel"}
    config = TokenizeConfig(order=Hardest(), ordered_languages=("zh",))
    wanted = step(
        config, topics=lambda d: topics(d, labels), difficulty=lambda d: losses(d, {"b": 1.0, "d": 3.0, "e": 2.0})
    )
    store = TokenStore.open(make(wanted, tmp_path).path)
    streams = {stream: [store.ids[row] for row in rows] for stream, rows in store.streams.items()}
    assert list(streams.items()) == [
        (("en", "debian", "Kernel"), ["a"]),
        (("en", "wikipedia", "Files"), ["c"]),
        (("zh", "debian", "Kernel"), ["d", "e", "b"]),
    ]
    assert store.offset.tolist() == np.concatenate([[0], np.cumsum(store.length)[:-1]]).tolist()


def test_a_stream_may_lie_in_several_runs_of_rows(tmp_path: Path) -> None:
    form = TokenForm(
        dtype="uint16", vocab_size=9, begin=None, end=None, tokenizer_sha256="", largest_token=8, measure=""
    )
    (tmp_path / "tokens.json").write_text(json.dumps(asdict(form)))
    np.arange(4, dtype=np.uint16).tofile(tmp_path / tables.TOKENS_FILE)
    rest = {"language": "en", "source": "web", "length": 1, "bytes": 1, "difficulty": math.nan}
    rows = [{"id": f"d{i}", "topic": topic, "offset": i, **rest} for i, topic in enumerate("baab")]
    tables.write(tmp_path / tables.INDEX_FILE, tables.table_of(rows, tables.INDEX), tables.INDEX)
    store = TokenStore.open(tmp_path)
    found = [(topic, members.tolist()) for (_, _, topic), members in store.streams.items()]
    assert found == [("b", [0, 3]), ("a", [1, 2])]
    tables.write(tmp_path / tables.INDEX_FILE, tables.table_of(rows[:3], tables.INDEX), tables.INDEX)
    with pytest.raises(SchemaError, match="the index counts 3 tokens, the file 4"):
        TokenStore.open(tmp_path)


def test_without_annotations_documents_stay_as_given(tmp_path: Path) -> None:
    store = TokenStore.open(make(step(TokenizeConfig(begin_token="", sources=("debian",))), tmp_path).path)
    assert list(store.ids) == ["a", "b", "d", "e"]
    assert {topic for _, _, topic in store.streams} == {"-"}
    assert store.begin is None
    assert store.document(0)[0] != store.end


def test_output_is_pinned(tmp_path: Path) -> None:
    made = make(step(TokenizeConfig(), difficulty=lengths), tmp_path)
    digest = hashlib.sha256((made.path / "tokens.bin").read_bytes()).hexdigest()
    rows = tables.read(made.file(tables.INDEX_FILE), tables.INDEX).to_pylist()
    index = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    assert (tokenize.version, digest[:16], index[:16]) == (3, "14bbd2162423e240", "f45c69c2902b378b")
    form = json.loads((made.path / "tokens.json").read_text("utf-8"))
    assert form == {
        "dtype": "uint16",
        "vocab_size": 489,
        "begin": 0,
        "end": 0,
        "tokenizer_sha256": "702837a57f469875536be392ed48859209c88ab21e1a558662610418145e2a79",
        "largest_token": 318,
        "measure": "loss_per_byte",
    }


@pytest.mark.parametrize(
    ("config", "documents", "inputs", "message"),
    [
        (TokenizeConfig(begin_token="<s>"), DOCUMENTS, {}, "has no token '<s>'"),
        (TokenizeConfig(), DOCUMENTS, {"topics": lambda d: topics(d, {"a": "Kernel"})}, "document b has no topic"),
        (
            TokenizeConfig(order=Hardest(), ordered_languages=("zh",)),
            DOCUMENTS,
            {"difficulty": lambda d: losses(d, {"b": 1.0})},
            "document d has no difficulty",
        ),
        (TokenizeConfig(order=Hardest(), ordered_languages=("zh",)), DOCUMENTS, {}, "asks for a difficulty"),
        (TokenizeConfig(order=Hardest(), ordered_languages=("fr",)), DOCUMENTS, {}, "no 'fr' documents"),
        (TokenizeConfig(sources=("books",)), DOCUMENTS, {}, "nothing to tokenize"),
        (TokenizeConfig(), (), {}, "nothing to tokenize"),
        (TokenizeConfig(), (DOCUMENTS[0], DOCUMENTS[0]), {}, "two documents of one id"),
    ],
)
def test_what_cannot_be_tokenized_is_said(
    tmp_path: Path, config: TokenizeConfig, documents: Sequence[Document], inputs: dict[str, Any], message: str
) -> None:
    with pytest.raises(StepFailed, match=message):
        make(step(config, documents, **inputs), tmp_path)


def test_an_order_without_languages_is_refused() -> None:
    with pytest.raises(ConfigError, match="give both or neither"):
        TokenizeConfig(order=Hardest())


def test_shards_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a corpus is cut, and whichever worker takes what: the same documents give the same tokens."""
    model = make_tiny.step("model", TinyConfig())
    config = TokenizeConfig(order=Hardest(), ordered_languages=("zh",))
    given = corpus(DOCUMENTS)
    whole = tokenize.step("whole", config, docs=given, model=model, difficulty=lengths(given))
    cut = [corpus(DOCUMENTS[:2], "first"), corpus(DOCUMENTS[2:3], "second"), corpus(DOCUMENTS[3:], "third")]
    monkeypatch.setattr("regraft.corpus.work.SERIAL", 0)
    parts = tokenize.step("parts", config, docs=cut, model=model, difficulty=lengths(given))
    execution = Execution(cache=tmp_path / "cache", workers=2)
    one, other = make(whole, tmp_path, execution), make(parts, tmp_path, execution)
    assert one.manifest.content_digest == other.manifest.content_digest


def test_difficulty_is_a_loss_per_byte_or_per_token(tmp_path: Path) -> None:
    rows = [
        {"id": "b", "loss": 4.0, "tokens": 8, "bytes": 10},
        {"id": "d", "loss": 3.0, "tokens": 2, "bytes": 10},
        {"id": "e", "loss": 2.0, "tokens": 2, "bytes": 10},
    ]
    given_losses = Given(rows=json.dumps(rows), schema="LOSSES")
    orders: dict[str, list[str]] = {}
    for measure in ("loss_per_byte", "loss_per_token"):
        config = TokenizeConfig(order=Hardest(), ordered_languages=("zh",), measure=measure)
        wanted = step(config, difficulty=lambda d: given_annotation.step("losses", given_losses, docs=d))
        orders[measure] = TokenStore.open(make(wanted, tmp_path).path).ids[-3:]
    assert orders == {"loss_per_byte": ["b", "d", "e"], "loss_per_token": ["d", "e", "b"]}


def test_the_index_says_how_hard_a_document_is_and_which_are_not_measured(tmp_path: Path) -> None:
    rows = [
        {"id": "e", "loss": 2.0, "tokens": 2, "bytes": 8},
        {"id": "b", "loss": 4.0, "tokens": 8, "bytes": 8},
        {"id": "d", "loss": 0.0, "tokens": 0, "bytes": 0},
    ]
    config = TokenizeConfig(order=AsTheyAre(), ordered_languages=("zh",))
    wanted = step(
        config, difficulty=lambda d: given_annotation.step("l", Given(rows=json.dumps(rows), schema="LOSSES"), docs=d)
    )
    made = make(wanted, tmp_path)
    store = TokenStore.open(made.path)
    found = dict(zip(store.ids, store.difficulty.tolist(), strict=True))
    assert (found["b"], found["e"], store.measure) == (0.5, 0.25, "loss_per_byte")
    assert all(math.isnan(found[id_]) for id_ in "acd")
    assert made.manifest.metrics["without_difficulty.zh"] == 1, "English is not put in order"
    assert "without_difficulty.en" not in made.manifest.metrics


def test_without_an_annotation_nothing_is_measured(tmp_path: Path) -> None:
    made = make(step(TokenizeConfig()), tmp_path)
    store = TokenStore.open(made.path)
    assert (np.isnan(store.difficulty).all(), store.measure) == (True, "")
    assert not [name for name in made.manifest.metrics if name.startswith("without_difficulty")]


def test_difficulty_may_be_any_column_of_numbers(tmp_path: Path) -> None:
    """Documents stand by the column that the measure names, and that no table of another name is needed for."""
    rows = [
        {"id": id_, **dict.fromkeys(MEASURES, 0.0), "math_density": x}
        for id_, x in (("b", 0.5), ("d", 0.1), ("e", 0.9))
    ]
    given_measures = Given(rows=json.dumps(rows), schema="MEASURES")
    config = TokenizeConfig(order=Hardest(), ordered_languages=("zh",), measure="math_density")
    made = make(step(config, difficulty=lambda d: given_annotation.step("m", given_measures, docs=d)), tmp_path)
    store = TokenStore.open(made.path)
    assert (store.ids[-3:], store.difficulty[-3:].tolist()) == (["e", "b", "d"], [0.9, 0.5, 0.1])
    assert store.measure == "math_density"


def test_a_measure_that_the_annotation_has_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"has no measure 'grade'; set `measure` to one of \['loss_per_byte"):
        make(step(TokenizeConfig(measure="grade"), difficulty=lengths), tmp_path)
