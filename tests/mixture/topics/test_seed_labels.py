import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import (
    Artifact,
    Asking,
    ConfigError,
    Context,
    Execution,
    Kind,
    Metrics,
    RawFiles,
    StepFailed,
    Store,
    run,
    stage,
)
from regraft.corpus import tables
from regraft.mixture.topics.examples import read_examples
from regraft.mixture.topics.merge import MergeConfig, merge_labels
from regraft.mixture.topics.prompts import TopicPrompt
from regraft.mixture.topics.sampling import BalancedSample
from regraft.mixture.topics.seed_labels import ONE_TOPIC, SeedLabelConfig, describe, label_seeds
from regraft.mixture.topics.taxonomy import SYNE_EN, Taxonomy, Topic
from regraft.mixture.topics.train import TopicClassifierConfig, train_topic_classifier
from regraft.mixture.topics.votes import parse_topic, verdict
from tests.lm.loopback import completion, serving
from tests.mixture.conftest import Given, corpus, make

NAMES = ("Law", "Law and Policy", "数学与物理", "Others")
LONG = "word " * 500
TAXONOMY = Taxonomy(
    name="test", language="en", topics=(Topic(name="Animals", description="cats, dogs"), Topic(name="Plants"))
)
DOCS = (("en", "A cat."), ("en", "A dog and a cat."), ("en", "An oak."), ("zh", "一只猫。"), ("en", "Neither."))


@pytest.mark.parametrize(
    ("answer", "topic"),
    [
        ("Law and Policy", "Law and Policy"),
        (" law AND policy.\n", "Law and Policy"),
        ("**Law & Policy**", "Law and Policy"),
        ("2", "Law and Policy"),
        ("2. Law and Policy", "Law and Policy"),
        ("(1)", "Law"),
        ("Topic: Law", "Law"),
        ("The topic is Others.", "Others"),
        ("The page is most about law and policy, since it quotes a court.", "Law and Policy"),
        ("数学与物理。", "数学与物理"),
        ("主题：数学与物理", "数学与物理"),
        ("这篇文章属于数学与物理", "数学与物理"),
        ("Law or Others", None),
        ("1. Others", None),
        ("7", None),
        ("0", None),
        ("I cannot help with that.", None),
        ("I cannot help with content that may harm others.", None),
        ("None of the first; so: Others", "Others"),
        ("Lawn care", None),
        ("", None),
    ],
)
def test_an_answer_names_one_topic_or_none(answer: str, topic: str | None) -> None:
    assert parse_topic(answer, NAMES) == topic


@given(st.text(max_size=60))
def test_whatever_an_answer_is_it_names_a_topic_or_none(answer: str) -> None:
    assert parse_topic(answer, NAMES) in (*NAMES, None)


@pytest.mark.parametrize(
    ("named", "topic", "agreement", "status"),
    [
        (["a", "a", "b"], "a", 2 / 3, "agreed"),
        (["a", "a", None], "a", 2 / 3, "agreed"),
        (["a", "b", None], "", 0.0, "disagreed"),
        (["a", None, None], "a", 1 / 3, "disagreed"),
        (["a"], "a", 1 / 3, "disagreed"),
        ([None, None, None], "", 0.0, "refused"),
        ([], "", 0.0, "not_answered"),
    ],
)
def test_votes_make_a_verdict(named: Sequence[str | None], topic: str, agreement: float, status: str) -> None:
    found = verdict(named, 3, 3, 0.5)
    assert (found.topic, found.agreement, found.status) == (topic, pytest.approx(agreement), status)


def test_the_sample_is_balanced_over_topics_then_sources_then_lengths() -> None:
    sample = BalancedSample(count=24, seed=0, bands=(100,))
    for i in range(3000):
        sample.add(f"w{i}", "Common", "web", 50 if i % 10 else 500)
        if i < 300:
            sample.add(f"b{i}", "Common", "books", 50)
    for i in range(5):
        sample.add(f"r{i}", "Rare", "web", 50)
    chosen = sample.chosen()
    assert Counter(id_[0] for id_ in chosen) == {"r": 5, "b": 10, "w": 9}
    assert sum(int(id_[1:]) % 10 == 0 for id_ in chosen if id_[0] == "w") in (4, 5)


@given(st.permutations(range(40)))
def test_the_sample_does_not_depend_on_the_order_of_documents(order: list[int]) -> None:
    sample, sorted_ = (BalancedSample(count=7, seed=3, bands=(2,)) for _ in range(2))
    for place, i in enumerate(order):
        sample.add(f"d{i}", "ab"[i % 2], "s", i % 5)
        sorted_.add(f"d{place}", "ab"[place % 2], "s", place % 5)
    assert sample.chosen() == sorted_.chosen()


def test_the_prompt_lists_the_topics_and_asks_for_one() -> None:
    message = ONE_TOPIC.message(SYNE_EN.topics, "The court ruled.")
    assert all(f"{i}. {topic.name}: " in message.content for i, topic in enumerate(SYNE_EN.topics, 1))
    assert "The court ruled." in message.content
    digest = hashlib.sha256(ONE_TOPIC.template.encode()).hexdigest()[:16]
    assert digest == GOLDEN_PROMPT, "the prompt is part of what is asked: say so in the version of label_seeds"
    with pytest.raises(ConfigError, match="prompt 'mine': UndefinedError"):
        config(prompts=(TopicPrompt(name="mine", template="{{ page }}"),))


GOLDEN_PROMPT = "c3fcffd7811c0b01"


def config(**fields: Any) -> SeedLabelConfig:
    given_: dict[str, Any] = {"models": ("m",), "taxonomies": (TAXONOMY,), "num_documents": 10, **fields}
    return SeedLabelConfig(**given_)


def page(body: dict[str, Any]) -> str:
    return body["messages"][0]["content"].split("---\n")[1].strip()


async def by_word(body: dict[str, Any], time: int) -> web.StreamResponse:
    text = page(body)
    return completion("Animals" if "cat" in text else "2. Plants" if "oak" in text else "I cannot say.")


def labelled(tmp_path: Path, endpoint: str, **fields: Any) -> Artifact:
    step = label_seeds.step("seeds", config(**fields), docs=corpus(*DOCS))
    store = Store(tmp_path / "store")
    execution = Execution(asking=Asking(endpoints=(endpoint,) if endpoint else ()), cache=tmp_path)
    return store.resolve(run([step], store, execution).steps["seeds"])


def labels(artifact: Artifact) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in tables.read(artifact.file(tables.LABELS_FILE), tables.LABELS).to_pylist()}


def examples(artifact: Artifact) -> dict[str, str]:
    path = artifact.file("examples.jsonl")
    return {example.id: example.topic for example in read_examples([("examples", path)], (TAXONOMY,))}


def test_documents_of_a_taxonomys_language_are_labelled(tmp_path: Path) -> None:
    with serving(by_word) as (endpoint, _):
        artifact = labelled(tmp_path, endpoint.base_urls[0])
    assert examples(artifact) == {"d0": "Animals", "d1": "Animals", "d2": "Plants"}
    found = labels(artifact)
    assert set(found) == {"d0", "d1", "d2", "d4"}
    assert (found["d4"]["status"], found["d4"]["answers"], found["d4"]["topic"]) == ("refused", 1, "")
    assert json.loads(found["d2"]["votes"]) == {"Plants": 1}
    responses = tables.read(artifact.file(tables.RESPONSES_FILE), tables.RESPONSES).to_pylist()
    assert {row["key"] for row in responses} == {key for row in found.values() for key in row["requests"]}
    metrics = artifact.manifest.metrics
    assert (metrics["documents"], metrics["agreed"], metrics["refused"], metrics["answers_without_topic"]) == (
        4,
        3,
        1,
        1,
    )
    assert metrics["spent_tokens"] == 4 * 30


def test_another_order_of_answers_gives_the_same_bytes(tmp_path: Path) -> None:
    digests = set[str]()
    for name in "ab":
        with serving(by_word) as (endpoint, _):
            made = labelled(tmp_path / name, endpoint.base_urls[0], num_samples=3)
        digests.add(made.manifest.content_digest)
    assert len(digests) == 1


async def first_listed(body: dict[str, Any], time: int) -> web.StreamResponse:
    """Answer with what stands first in the list, as a model that does not read would."""
    return completion("1")


def test_samples_list_the_topics_in_other_orders_so_that_position_shows_as_disagreement(tmp_path: Path) -> None:
    with serving(first_listed) as (endpoint, server):
        artifact = labelled(tmp_path, endpoint.base_urls[0], num_samples=2)
    assert {row["status"] for row in labels(artifact).values()} == {"disagreed"}
    assert {row["votes"] for row in labels(artifact).values()} == {'{"Animals": 1, "Plants": 1}'}
    assert sum(server.seen.values()) == 2 * 4
    assert examples(artifact) == {}


def test_models_and_prompts_vote_together(tmp_path: Path) -> None:
    async def models_differ(body: dict[str, Any], time: int) -> web.StreamResponse:
        return completion("Plants" if body["model"] == "odd" else "Animals")

    short = TopicPrompt(name="short", template="---\n{{ text }}\n---\n{{ topics|map(attribute='name')|join(', ') }}?")
    fields: dict[str, Any] = {"models": ("m", "odd"), "prompts": (ONE_TOPIC, short), "num_documents": 1}
    with serving(models_differ) as (endpoint, _):
        artifact = labelled(tmp_path, endpoint.base_urls[0], **fields)
    (row,) = labels(artifact).values()
    assert (json.loads(row["votes"]), row["status"]) == ({"Animals": 2, "Plants": 2}, "disagreed")
    assert describe(config(**fields)).startswith("4 requests")


def test_an_excerpt_is_shown_and_becomes_the_seed(tmp_path: Path) -> None:
    seen: list[str] = []

    async def note(body: dict[str, Any], time: int) -> web.StreamResponse:
        seen.append(page(body))
        return completion("Plants")

    step = label_seeds.step("seeds", config(max_characters=9), docs=corpus(("en", LONG)))
    with serving(note) as (endpoint, _):
        store = Store(tmp_path)
        execution = Execution(asking=Asking(endpoints=(endpoint.base_urls[0],)), cache=tmp_path)
        artifact = store.resolve(run([step], store, execution).steps["seeds"])
    assert seen == ["word word"]
    (line,) = artifact.file("examples.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line) == {"topic": "Plants", "text": "word word", "id": "d0", "language": "en"}


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def cheap(config: Given, ctx: Context) -> Metrics:
    rows = [{"id": f"d{i}", "topic": topic, "probability": 1.0} for i, topic in enumerate(json.loads(config.rows))]
    tables.write(ctx.out / tables.ANNOTATION_FILE, tables.table_of(rows, tables.TOPICS), tables.TOPICS)
    return {}


def test_a_cheap_classifier_makes_rare_topics_be_asked_about(tmp_path: Path) -> None:
    docs = corpus(*[("en", f"A cat, number {i}.") for i in range(30)], ("en", "An oak."))
    topics = cheap.step("cheap", Given(rows=json.dumps(["Animals"] * 30 + ["Plants"])), docs=docs)
    step = label_seeds.step("seeds", config(num_documents=2), docs=docs, topics=topics)
    with serving(by_word) as (endpoint, _):
        store = Store(tmp_path)
        execution = Execution(asking=Asking(endpoints=(endpoint.base_urls[0],)), cache=tmp_path)
        artifact = store.resolve(run([step], store, execution).steps["seeds"])
    assert sorted(examples(artifact).values()) == ["Animals", "Plants"]


@pytest.mark.parametrize("topics", [["Animals"] * 4, ["Animals"] * 6])
def test_labels_of_other_documents_are_refused(tmp_path: Path, topics: list[str]) -> None:
    docs = corpus(*DOCS)
    annotation = cheap.step("cheap", Given(rows=json.dumps(topics)), docs=docs)
    execution = Execution(asking=Asking(endpoints=("http://127.0.0.1:9/v1",)), cache=tmp_path)
    with pytest.raises(StepFailed, match="an annotation of other documents"):
        run([label_seeds.step("seeds", config(), docs=docs, topics=annotation)], Store(tmp_path), execution)


def test_a_dead_endpoint_seals_nothing_and_no_answer_is_bought_twice(tmp_path: Path) -> None:
    broken = True

    async def repaired(body: dict[str, Any], time: int) -> web.StreamResponse:
        if broken and "oak" in page(body):
            return web.Response(status=401, text="who are you")
        return await by_word(body, time)

    with serving(repaired) as (endpoint, server):
        with pytest.raises(StepFailed, match=r"(?s)of 4 requests to .*HTTP 401: who are you.*same command"):
            labelled(tmp_path, endpoint.base_urls[0])
        answered = {prompt for prompt in server.seen if "oak" not in prompt}
        broken = False
        artifact = labelled(tmp_path, endpoint.base_urls[0])
        assert all(server.seen[prompt] == 1 for prompt in answered)
    assert len(examples(artifact)) == 3


def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="step 'seeds': It is to ask m, but no endpoint"):
        labelled(tmp_path, "")
    french = Taxonomy(name="fr", language="fr", topics=TAXONOMY.topics)
    with pytest.raises(StepFailed, match="no document in the language 'fr'"):
        labelled(tmp_path, "http://127.0.0.1:9/v1", taxonomies=(french,))
    with pytest.raises(ConfigError, match="num_documents is 0"):
        config(num_documents=0)


def test_hand_labels_join_the_seeds_and_the_last_label_counts(tmp_path: Path) -> None:
    hand = tmp_path / "hand.jsonl"
    lines = [
        {"id": "d4", "topic": "Plants"},
        {"id": "d0", "topic": "Plants"},
        {"id": "d1", "topic": ""},
        {"text": "Moss.", "topic": "Plants", "language": "en"},
        {"text": "An oak.", "topic": "Animals", "language": "en"},
    ]
    taxonomy = Taxonomy(name="any", language="", topics=TAXONOMY.topics)
    hand.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    docs = corpus(*DOCS)
    seeds = label_seeds.step("seeds", config(), docs=docs)
    merge = MergeConfig(taxonomies=(taxonomy,), labels=(RawFiles(root=str(hand)),))
    merged = merge_labels.step("merged", merge, docs=docs, seeds=seeds)
    learn = train_topic_classifier.step("classifier", TopicClassifierConfig(taxonomies=(taxonomy,)), seeds=merged)
    with serving(by_word) as (endpoint, _):
        store = Store(tmp_path / "store")
        made = run([learn], store, Execution(asking=Asking(endpoints=(endpoint.base_urls[0],)), cache=tmp_path)).steps
    artifact = store.resolve(made["merged"])
    rows = [json.loads(line) for line in artifact.file("examples.jsonl").read_text("utf-8").splitlines()]
    assert sorted((row["id"], row["topic"], row["text"]) for row in rows) == [
        ("", "Plants", "Moss."),
        ("d0", "Plants", "A cat."),
        ("d1", "Animals", "A dog and a cat."),
        ("d2", "Animals", "An oak."),  # by its text
        ("d4", "Plants", "Neither."),
    ]
    metrics = artifact.manifest.metrics
    assert (metrics["examples"], metrics["not_labelled"], metrics["replaced"]) == (5, 1, 2)
    assert store.resolve(made["classifier"]).manifest.metrics["seeds"] == 5


def test_a_label_of_no_document_is_named(tmp_path: Path) -> None:
    hand = tmp_path / "hand.jsonl"
    hand.write_text('{"id": "d9", "topic": "Plants", "language": "en"}', "utf-8")
    merge = MergeConfig(taxonomies=(TAXONOMY,), labels=(RawFiles(root=str(hand)),))
    with pytest.raises(StepFailed, match=r"1 labels are of no document .* \['d9'\]"):
        make(merge_labels.step("merged", merge, docs=corpus(*DOCS)), tmp_path)


def test_what_the_endpoint_refuses_is_told_from_what_the_budget_did_not_reach(tmp_path: Path) -> None:
    async def no_dogs(body: dict[str, Any], time: int) -> web.StreamResponse:
        return web.json_response({"error": "no"}, status=400) if "dog" in page(body) else completion("Animals")

    with serving(no_dogs) as (endpoint, _):
        refused = labelled(tmp_path / "refused", endpoint.base_urls[0])
    assert sorted(row["status"] for row in labels(refused).values()) == ["agreed"] * 3 + ["not_answered"]
    with serving(by_word) as (endpoint, _):
        spent = labelled(tmp_path / "spent", endpoint.base_urls[0], budget_tokens=360)
    statuses = Counter(row["status"] for row in labels(spent).values())
    assert statuses == {"agreed": 1, "not_asked": 3}
    assert spent.manifest.metrics["not_asked"] == 3
