import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from regraft.core import ConfigError, StepFailed, run
from regraft.corpus import tables
from regraft.evaluation.held_out import HeldOutConfig, cluster, evaluate_held_out, prefix
from regraft.lm.load import load_model, load_tokenizer

from .conftest import MANY_TEXTS, TextsConfig, make_corpus

BYTES = Tokenizer(
    models.BPE(vocab={c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, merges=[])
)
BYTES.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)


def evaluate(store, config, **inputs):
    record = run([evaluate_held_out.step("evaluate/held-out", config, **inputs)], store)
    return store.resolve(record.steps["evaluate/held-out"])


def rows_of(artifact, name, schema):
    return tables.read(artifact.file(name), schema).to_pylist()


@given(st.text(alphabet="ab é中文🙂", min_size=1), st.integers(2, 20))
def test_bytes_of_a_prefix_are_those_of_its_scored_tokens(text, max_tokens):
    # one token a byte: the number of scored tokens is the number of bytes, however the text is cut
    tokens, num_bytes, is_cut = prefix(BYTES, text, begin=0, max_tokens=max_tokens)
    assert len(tokens) <= max_tokens
    assert num_bytes == max(len(tokens) - 1, 0)
    assert is_cut == (0 < num_bytes < len(text.encode()))
    assert text.encode().startswith(text.encode()[:num_bytes].decode().encode())  # the cut is between characters


def test_without_a_begin_token_the_first_character_is_context_and_not_counted():
    tokens, num_bytes, _ = prefix(BYTES, "abcd", begin=None, max_tokens=3)
    assert (len(tokens), num_bytes) == (3, 2)


@given(st.text(alphabet="ab é中文🙂", min_size=1), st.integers(4, 20))
def test_cut_by_bytes_every_tokenizer_scores_the_same_text(text, max_bytes):
    tokens, num_bytes, is_cut = prefix(BYTES, text, begin=0, max_tokens=1000, max_bytes=max_bytes)
    assert max_bytes - 3 <= num_bytes <= max_bytes if is_cut else num_bytes == len(text.encode())
    assert len(tokens) - 1 == num_bytes


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ('{"file": "handbook/sect.1.html", "format": "html"}', "web/handbook"),
        ('{"file": "handbook/deep/sect.1.html", "format": "html"}', "web/handbook"),
        ('{"file": "index.html", "format": "html"}', "d1"),
        ('{"file": "package/data/test.jsonl"}', "d1"),
        ("{}", "d1"),
    ],
)
def test_pages_of_one_folder_share_a_cluster_and_records_stand_alone(meta, expected):
    assert cluster({"id": "d1", "source": "web", "meta": meta}) == expected


def test_intervals_resample_clusters_and_say_how_many(store, model):
    def chinese(name, **folders):
        corpus = make_corpus.step(name, TextsConfig(rows=MANY_TEXTS, **folders))
        made = evaluate(store, HeldOutConfig(model="base"), model=model, docs=corpus)
        (row,) = (r for r in rows_of(made, tables.METRICS_FILE, tables.METRICS) if r["slice"] == "zh")
        return row, {r["cluster"] for r in rows_of(made, tables.ITEMS_FILE, tables.ITEMS) if r["slice"][:2] == "zh"}

    alone, ids = chinese("records")
    pages, books = chinese("pages", files=tuple(f"book{i}/page.html" for i in range(6)))
    few, _ = chinese("few", files=("book1/page.html", "book2/page.html"))
    assert (alone["n"], alone["clusters"], len(ids)) == (24, 24, 24)
    assert (pages["n"], pages["clusters"], books) == (24, 6, {f"debian-zh/book{i}" for i in range(6)})
    assert (pages["low"], pages["high"]) != (alone["low"], alone["high"])
    assert few["clusters"] == 2
    assert math.isnan(few["low"])


def test_cut_documents_are_counted(store, model, corpus):
    whole, short, cut = (
        evaluate(store, HeldOutConfig(model="base", **limit), model=model, docs=corpus).manifest.metrics
        for limit in ({}, {"max_tokens": 5}, {"max_bytes": 20})
    )
    assert [m["cut_documents"] for m in (whole, short, cut)] == [0, 6, 7]


def test_metrics_hold_every_language_source_and_topic_with_an_interval_over_documents(store, model, corpus, topics):
    made = evaluate(store, HeldOutConfig(model="base"), model=model, docs=corpus, topics=topics)
    rows = {r["slice"]: r for r in rows_of(made, tables.METRICS_FILE, tables.METRICS)}
    assert {name: r["n"] for name, r in rows.items()} == {
        "en": 3,
        "en/pubmed": 1,
        "en/wikipedia": 2,
        "zh": 4,
        "zh/debian-zh": 4,
        "zh/debian-zh/Networking": 2,
        "zh/debian-zh/Security": 2,
    }
    assert made.manifest.metrics["bits_per_byte.zh"] == round(rows["zh"]["value"], 4)


def test_fewer_than_ten_documents_have_a_figure_and_no_interval(store, model, many_documents):
    made = evaluate(store, HeldOutConfig(model="base"), model=model, docs=many_documents)
    rows = {r["slice"]: r for r in rows_of(made, tables.METRICS_FILE, tables.METRICS)}
    assert {name: (r["n"], math.isnan(r["low"])) for name, r in rows.items() if name.startswith("en")} == {
        "en": (18, False),
        "en/pubmed": (6, True),
        "en/wikipedia": (12, False),
    }
    assert rows["zh"]["low"] < rows["zh"]["value"] < rows["zh"]["high"]


def test_items_agree_with_the_logits_of_the_model(store, model, corpus):
    made = evaluate(store, HeldOutConfig(model="base"), model=model, docs=corpus)
    folder = store.resolve("backbone").file("model")
    tokenizer, network = load_tokenizer(folder), load_model(folder)
    documents = rows_of(store.resolve("corpus/held-out"), "documents/00000.parquet", tables.DOCUMENTS)
    for document, item in zip(documents, rows_of(made, tables.ITEMS_FILE, tables.ITEMS), strict=True):
        ids = torch.tensor([[0, *tokenizer.encode(document["text"], add_special_tokens=False).ids]])
        with torch.no_grad():
            mean = network(input_ids=ids, labels=ids).loss.item()
        assert item["weight"] == len(document["text"].encode())
        assert item["value"] * math.log(2) == pytest.approx(mean * (ids.shape[1] - 1), rel=1e-4)


def test_filters_choose_languages_sources_and_the_first_documents(store, model, corpus):
    config = HeldOutConfig(model="base", languages=("en",), sources=("wikipedia",), max_documents=1)
    made = evaluate(store, config, model=model, docs=corpus)
    assert [r["item"] for r in rows_of(made, tables.ITEMS_FILE, tables.ITEMS)] == ["d0"]


def test_the_same_input_gives_the_same_bytes(tmp_path, model, corpus, topics):
    from regraft.core import Store

    digests = {
        evaluate(
            Store(tmp_path / n), HeldOutConfig(model="base"), model=model, docs=corpus, topics=topics
        ).manifest.content_digest
        for n in "ab"
    }
    assert len(digests) == 1


def test_nothing_to_score_is_an_error_that_names_what_was_asked(store, model, corpus):
    with pytest.raises(StepFailed, match="fr"):
        evaluate(store, HeldOutConfig(model="base", languages=("fr",)), model=model, docs=corpus)


def test_a_corpus_given_twice_is_refused(store, model, corpus):
    with pytest.raises(StepFailed, match="twice"):
        evaluate(store, HeldOutConfig(model="base"), model=model, docs=[corpus, corpus])


def test_config_is_checked():
    with pytest.raises(ConfigError, match="max_tokens is 1"):
        HeldOutConfig(model="base", max_tokens=1)
    with pytest.raises(ConfigError, match="model is empty"):
        HeldOutConfig(model="")
