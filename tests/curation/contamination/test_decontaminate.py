import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.core import Artifact, ConfigError, Execution, StepFailed
from regraft.corpus import tables
from regraft.corpus.document import Changed, Document, Reject
from regraft.curation.contamination import search as contamination_search
from regraft.curation.contamination.decontaminate import (
    Cut,
    DecontaminateConfig,
    Drop,
    Flag,
    TokenNgrams,
    WordNgrams,
    decontaminate,
)
from regraft.curation.contamination.index import Index, TokenSplit, WordSplit, build_index
from regraft.curation.contamination.search import find
from regraft.curation.contamination.verdicts import Finding, covered_units
from regraft.curation.ngrams import grams, hashed_words, text_offsets
from regraft.lm.tiny import TinyConfig, make_tiny, tiny_model_folder
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of
from tests.curation.sharded import sharded

QUESTION = (
    "A gardener joins the shoot of a young pear to the root of an old quince and binds the cut faces with bast. "
    "Which layer of the two has to meet so that they grow into one tree?"
)
ANSWER = "The cambium, since it is the only layer of the stem in which cells still divide after the wood has formed."
CHINESE = "园丁把梨树的幼枝接到榅桲的老根上并用麻绳捆紧，两者的哪一层必须对齐才能长成一棵树？"
SHORT = "Who wrote the first book on grafting pear trees in Germany?"
ITEM = f"{QUESTION}\nA. bark\nB. cambium\nAnswer: B"
ITEMS = (
    Document(id="q1", text=ITEM, source="quiz", meta=json.dumps({"question": QUESTION, "answer": ANSWER})),
    Document(id="q2", text=CHINESE, source="测验"),
    Document(id="q3", text=SHORT, source="quiz"),
    Document(id="q4", text="What is grafting?", source="quiz"),
)


def prose(seed: int, words: int = 120) -> str:
    names = [f"{a}{b}" for a in ("bark", "leaf", "root", "stem", "wood", "seed") for b in ("", "ing", "ed", "er", "s")]
    return " ".join(random.Random(seed).choices(names, k=words))


def around(text: str, seed: int = 0) -> str:
    return f"{prose(seed)}\n{text}\n{prose(seed + 1000)}"


def docs(**texts: str) -> list[Document]:
    return [Document(id=id_, text=text, source="web", language="en") for id_, text in texts.items()]


def clean(
    documents: Sequence[Document], root: Path, config: DecontaminateConfig | None = None, **inputs: Any
) -> Artifact:
    wired = {"docs": corpus(documents), "benchmarks": [corpus(ITEMS, "items")], **inputs}
    return make(decontaminate.step("clean", config or DecontaminateConfig(), **wired), root)


def table_of(artifact: Artifact) -> list[dict[str, Any]]:
    return tables.read(artifact.file(tables.CONTAMINATION_FILE), tables.CONTAMINATION).to_pylist()


PLANTED = {
    "clean": prose(7),
    "whole": around(ITEM),
    "case": around(ITEM.upper().replace("\n", " -- ").replace(",", ";"), 1),
    "question": around(QUESTION, 2),
    "answer": around(ANSWER, 3),
    "edited": around(QUESTION.replace("young", "small").replace("bast", "rope"), 4),
    "chinese": around(CHINESE.replace("，", " ").replace("？", "。"), 5),
    "short": around(SHORT, 6),
    "tiny": around("What is grafting?", 7),
    "part": around(" ".join(QUESTION.split()[:16]), 8),
    "phrase": around("who wrote the first book on grafting pear trees and apple trees", 9),
}


def test_items_and_answers_are_found_however_they_are_written(tmp_path: Path) -> None:
    made = clean(docs(**PLANTED), tmp_path)
    assert [row["id"] for row in documents_of(made)] == ["clean", "tiny", "part", "phrase"]
    assert {row["id"]: (row["reason"], row["detail"]) for row in rejects_of(made)} == {
        "whole": ("contaminated", "quiz q1: 1.00 of the words looked for of its text"),
        "case": ("contaminated", "quiz q1: 1.00 of the words looked for of its text"),
        "question": ("contaminated", "quiz q1: 1.00 of the words looked for of its question"),
        "answer": ("contaminated", "quiz q1: 1.00 of the words looked for of its answer"),
        "edited": ("contaminated", "quiz q1: 0.76 of the words looked for of its question"),
        "chinese": ("contaminated", "测验 q2: 1.00 of the words looked for of its text"),
        "short": ("contaminated", "quiz q3: 1.00 of the words looked for of its text"),
    }
    assert made.manifest.metrics == {
        "documents_read": 11,
        "documents": 4,
        "rejected": 7,
        "bytes": sum(len(PLANTED[id_].encode()) for id_ in ("clean", "tiny", "part", "phrase")),
        "language.en": 4,
        "rejected.contaminated": 7,
        "items": 4,
        "items_too_short": 1,
        "items_stop_listed": 0,
        "items_matched": 3,
        "items_contaminated": 3,
        "ngrams": made.manifest.metrics["ngrams"],
        "ngrams_in_many_items": 0,
        "ngrams_in_many_documents": 0,
        "contaminated.quiz": 2,
        "contaminated.测验": 1,
    }
    assert (decontaminate.version, digest_of(made)) == (2, "8b7da15e78306e80")


def test_the_table_says_what_of_each_item_is_where(tmp_path: Path) -> None:
    rows = table_of(clean(docs(**PLANTED), tmp_path, DecontaminateConfig(max_rows=4)))
    assert [(row["item"], row["id"], row["part"], round(row["share"], 2), row["action"]) for row in rows] == [
        ("q1", "whole", "text", 1.0, "drop"),
        ("q1", "case", "text", 1.0, "drop"),
        ("q1", "question", "question", 1.0, "drop"),
        ("q1", "answer", "answer", 1.0, "drop"),
        ("q2", "chinese", "text", 1.0, "drop"),
        ("q3", "short", "text", 1.0, "drop"),
        ("q3", "phrase", "text", 0.82, "none"),
    ]
    assert [(row["benchmark"], row["documents"], row["item_share"], row["source"]) for row in rows[3:5]] == [
        ("quiz", 6, 1.0, "web"),
        ("测验", 1, 1.0, "web"),
    ]


def test_too_little_is_in_the_table_and_stays_in_the_corpus(tmp_path: Path) -> None:
    made = clean(docs(clean=PLANTED["clean"], part=PLANTED["part"]), tmp_path)
    (row,) = table_of(made)
    assert (row["id"], row["action"]) == ("part", "none")
    assert row["share"] == row["item_share"] == pytest.approx(16 / len(QUESTION.split()))
    assert len(documents_of(made)) == 2
    assert made.manifest.metrics["items_matched"] == 1
    assert made.manifest.metrics["items_contaminated"] == 0


def test_halves_in_two_documents_make_a_whole_item(tmp_path: Path) -> None:
    words = QUESTION.split()
    halves = docs(clean=prose(1), a=around(" ".join(words[:20])), b=around(" ".join(words[8:]), 1))
    rows = table_of(clean(halves, tmp_path, DecontaminateConfig(action=Flag())))
    assert [(row["id"], row["action"]) for row in rows] == [("b", "flag"), ("a", "flag")]
    assert [row["item_share"] for row in rows] == [1.0, 1.0]
    assert rows[0]["share"] == pytest.approx((len(words) - 8) / len(words))


def test_an_ngram_across_two_documents_is_none(tmp_path: Path) -> None:
    words = QUESTION.split()
    halves = docs(clean=prose(1), a=" ".join(words[:12]), b=" ".join(words[12:24]), c=" ".join(words[24:36]))
    assert table_of(clean(halves, tmp_path)) == []


@pytest.mark.parametrize("limit", ["max_documents", "max_items"])
def test_what_is_everywhere_is_no_contamination(limit: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    phrase = "which of the following statements about the trees of an old garden is true and which is not"
    many = {f"d{n}": around(phrase, n) for n in range(3 if limit == "max_documents" else 1)}
    items = [Document(id=f"t{n}", text=phrase, source="quiz") for n in range(3 if limit == "max_items" else 1)]
    config = DecontaminateConfig(**{limit: 2})  # pyright: ignore[reportArgumentType]
    made = clean(docs(**many), tmp_path, config, benchmarks=[corpus(items, "items")])
    assert rejects_of(made) == table_of(made) == []
    assert made.manifest.metrics["items_stop_listed"] == len(items)
    assert made.manifest.metrics[f"ngrams_in_many_{limit[4:]}"] == 6
    assert "was not looked for, since it is in more than" in caplog.text
    assert made.manifest.metrics["items_matched"] == 0


def test_a_phrase_that_is_everywhere_does_not_hide_the_rest_of_an_item(tmp_path: Path) -> None:
    phrase = " ".join(QUESTION.split()[:20])
    many = docs(whole=around(QUESTION), **{f"d{n}": around(phrase, n) for n in range(3)})
    made = clean(many, tmp_path, DecontaminateConfig(max_documents=2))
    assert [(row["id"], row["share"]) for row in table_of(made)] == [("whole", 1.0)]
    assert made.manifest.metrics["ngrams_in_many_documents"] == 8


def test_cutting_leaves_what_is_around(tmp_path: Path) -> None:
    text = f"{prose(1, 80)}\n{QUESTION}\n{prose(2, 80)}"
    config = DecontaminateConfig(action=Cut(window=50))
    made = clean(docs(clean=prose(3), long=text, small=f"before {QUESTION} after"), tmp_path, config)
    left = {row["id"]: row["text"] for row in documents_of(made)}["long"]
    start = text.index(QUESTION)
    # the last n-gram ends with the last word, before the question mark
    assert left == text[: start - 50] + "\n\n" + text[start + len(QUESTION) - 1 + 50 :]
    assert [(row["id"], row["detail"]) for row in rejects_of(made)] == [
        ("small", "quiz q1: 1.00 of the words looked for of its question; cutting it out leaves nothing")
    ]
    assert made.manifest.metrics["changed.characters"] == len(text) - len(left)
    assert [row["action"] for row in table_of(made)] == ["cut", "cut"]


def test_a_document_in_shreds_is_dropped() -> None:
    text = "x" * 100
    document = Document(id="a", text=text, source="s")
    finding = Finding("found", tuple((start, start + 2) for start in range(10, 50, 10)))
    cut = Cut(window=1, min_characters=1, max_pieces=4)
    assert cut.apply(document, finding) == Reject("contaminated", "found; cutting it out leaves 5 pieces")
    assert isinstance(replace(cut, max_pieces=5).apply(document, finding), Changed)
    assert cut.pieces(text, [(0, 10), (12, 14)]) == ["x" * 85]


def test_flagging_leaves_the_corpus_as_it_is(tmp_path: Path) -> None:
    made = clean(docs(**PLANTED), tmp_path, DecontaminateConfig(action=Flag()))
    assert {row["id"]: row["text"] for row in documents_of(made)} == PLANTED
    assert {row["action"] for row in table_of(made)} == {"flag", "none"}


def test_tokens_count_by_the_share_of_the_document(tmp_path: Path) -> None:
    model = make_tiny.step("model", TinyConfig())
    config = DecontaminateConfig(rule=TokenNgrams())
    planted = docs(clean=prose(1), most=QUESTION + " " + prose(2, 20), little=QUESTION + prose(3, 2000))
    made = clean(planted, tmp_path, config, model=model)
    assert [row["id"] for row in rejects_of(made)] == ["most"]
    assert {row["id"]: row["action"] for row in table_of(made)} == {"most": "drop", "little": "none"}
    with pytest.raises(StepFailed, match="no input `model`"):
        clean(planted, tmp_path, config)


def test_shards_and_workers_do_not_show(tmp_path: Path) -> None:
    planted = docs(**PLANTED)
    one = clean(planted, tmp_path / "1")
    step = decontaminate.step(
        "clean", DecontaminateConfig(), docs=sharded(planted, 3), benchmarks=[corpus(ITEMS, "items")]
    )
    many = make(step, tmp_path / "2", Execution(workers=2, cache=tmp_path / "cache"))
    assert digest_of(many) == digest_of(one)
    assert table_of(many) == table_of(one)
    assert many.manifest.metrics == one.manifest.metrics


def test_batches_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = DecontaminateConfig(action=Cut(window=5, min_characters=1))
    one = clean(docs(**PLANTED), tmp_path / "1", config)
    monkeypatch.setattr(contamination_search, "BATCH", 1)
    many = clean(docs(**PLANTED), tmp_path / "2", config)
    assert one.manifest.content_digest == many.manifest.content_digest


def test_nothing_long_enough_to_look_for_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="No part of 1 of the benchmarks is long enough"):
        clean(docs(a=prose(1)), tmp_path, benchmarks=[corpus(ITEMS[3:], "items")])


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="short_length <= length"):
        WordNgrams(length=5)
    with pytest.raises(ConfigError, match="min_short_share is 2"):
        WordNgrams(min_short_share=2)
    with pytest.raises(ConfigError, match="max_document_share < 1"):
        TokenNgrams(max_document_share=1)
    with pytest.raises(ConfigError, match="max_rows is 0"):
        DecontaminateConfig(max_rows=0)
    assert DecontaminateConfig().action == Drop()


def test_sizes_of_ngrams() -> None:
    rule = WordNgrams(min_words=3)
    assert [rule.size(n) for n in (2, 3, 7, 8, 12, 13, 50)] == [0, 3, 7, 8, 8, 13, 13]
    assert [TokenNgrams().size(n) for n in (19, 20)] == [0, 20]


WORDS = st.lists(st.sampled_from("abc"), max_size=9)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, min_size=1, max_size=4))
def test_hits_are_all_places_of_all_ngrams(tmp_path_factory: pytest.TempPathFactory, items: Any, texts: Any) -> None:
    index = index_of([" ".join(item) for item in items], 3)
    folder = tmp_path_factory.mktemp("index")
    index.save(folder)
    joined = [" ".join(text) for text in texts]
    hits, sizes = find(joined, WordSplit(), folder)
    known = {" ".join(item[n : n + 3]) for item in items for n in range(len(item) - 2)}
    expected = [
        (number, " ".join(text[n : n + 3]), 2 * n)
        for number, text in enumerate(texts)
        for n in range(len(text) - 2)
        if " ".join(text[n : n + 3]) in known
    ]
    columns = (hits.document.tolist(), hits.start.tolist(), hits.stop.tolist())
    assert [(d, joined[d][a:b], a) for d, a, b in zip(*columns, strict=True)] == expected
    assert sizes.tolist() == [len(text) for text in texts]


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=3, max_size=12))
def test_covered_units_count_once(found: list[bool]) -> None:
    """A part of N + 2 different words has N 3-grams; those that are found cover their words."""
    index = index_of([" ".join(f"w{n}" for n in range(len(found) + 2))], 3)
    places = np.flatnonzero(np.array(found)[index.at])
    document, part, covered = covered_units(index, np.zeros_like(places), places)
    expected = {n + k for n, yes in enumerate(found) if yes for k in range(3)}
    assert covered.tolist() == ([len(expected)] if expected else [])
    assert document.tolist() == part.tolist() == [0] * bool(expected)


def index_of(texts: Sequence[str], size: int) -> Index:
    return build_index([(size, grams(hashed_words(text).hashes, size)) for text in texts])


def test_tokens_stand_where_they_stand(tmp_path: Path) -> None:
    split = TokenSplit(tiny_model_folder(tmp_path) / "tokenizer.json")
    texts = ["A graft joins", "", "幼枝 a root"]
    units = split(texts)
    whole = "\n".join(texts)
    offsets = text_offsets(texts)
    assert offsets.tolist() == [0, 14, 15, 25]
    assert whole[units.starts[0] : units.stops[0]] in whole[:13]
    assert int(units.stops[-1]) == len(whole)
