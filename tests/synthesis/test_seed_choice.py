import dataclasses
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from regraft.core import (
    Artifact,
    ConfigError,
    Context,
    Kind,
    Metrics,
    SchemaError,
    Step,
    Store,
    open_artifact,
    run,
    stage,
)
from regraft.corpus import tables
from regraft.corpus.document import Document, document_id, meta_json
from regraft.evaluation import held_out, tasks
from regraft.synthesis import evidence
from regraft.synthesis.disciplines import Discipline
from regraft.synthesis.seed_choice import Chosen, choose_seeds
from regraft.synthesis.seeds import SeedRule
from regraft.synthesis.snippets import SnippetRule
from regraft.synthesis.weakness import Weakness, standard_scores

BIOLOGY = Discipline(name="biology", hosts=("plants.org",), topics=("Life",))
COMPUTING = Discipline(name="computing", topics=("Machines",))
RULE = SeedRule(disciplines=(BIOLOGY, COMPUTING), snippets=SnippetRule(characters=200, min_characters=60))
ABOUT = {
    "Life": "The chloroplast number {n} is the organelle in which a plant cell makes sugar out of light and water.",
    "Machines": "The kernel number {n} is the program that decides which process runs on which processor and when.",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    num_pages: int = 40
    url: str = ""
    """Of each page on life."""
    language: str = "en"
    missing: int = 0
    """Topics that are left out."""


def _documents(config: Pages) -> list[tuple[Document, str]]:
    made: list[tuple[Document, str]] = []
    for number in range(config.num_pages):
        topic = "Life" if number % 2 else "Machines"
        text = ABOUT[topic].format(n=number)
        meta = {"url": config.url} if config.url and topic == "Life" else {}
        id_ = document_id("web", str(number), text)
        made.append((Document(id=id_, text=text, source="web", language=config.language, meta=meta_json(meta)), topic))
    return made


@stage(version=1, makes=Kind.CORPUS)
def web(config: Pages, ctx: Context) -> Metrics:
    table = tables.table_of((d.row() for d, _ in _documents(config)), tables.DOCUMENTS)
    tables.write(ctx.out / "documents/00000.parquet", table, tables.DOCUMENTS)
    return {}


@stage(version=1, makes=Kind.ANNOTATION)
def web_topics(config: Pages, ctx: Context) -> Metrics:
    rows = [{"id": d.id, "topic": topic, "probability": 1.0} for d, topic in _documents(config)]
    table = tables.table_of(rows[config.missing :], tables.TOPICS)
    tables.write(ctx.out / tables.ANNOTATION_FILE, table, tables.TOPICS)
    return {}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    life: float = 2.0
    """Bits per byte of held-out text on life; of machines it is 1."""
    fails_life: bool = False
    language: str = "en"


def _item(task: str, metric: str, item: str, slice_: str, value: float, weight: float) -> dict[str, Any]:
    common = {"task": task, "metric": metric, "item": item, "cluster": item, "slice": slice_}
    return {**common, "value": value, "weight": weight}


@stage(version=1, makes=Kind.EVALUATION)
def evaluated(config: Model, ctx: Context) -> Metrics:
    """Write what `evaluate_held_out` writes."""
    rows = [
        _item(
            held_out.TASK, held_out.METRIC, f"{source}{topic}", f"{config.language}/{source}/{topic}", bits * size, size
        )
        for source, size in (("a", 100.0), ("b", 300.0))
        for topic, bits in (("Life", config.life), ("Machines", 1.0))
    ]
    tables.write(ctx.out / tables.ITEMS_FILE, tables.table_of(rows, tables.ITEMS), tables.ITEMS)
    return {}


@stage(version=1, makes=Kind.EVALUATION)
def quizzed(config: Model, ctx: Context) -> Metrics:
    """Write what `evaluate_tasks` writes."""
    questions = [
        {
            "id": "q1",
            "question": "What makes sugar in a plant cell?",
            "choices": ["root", "the chloroplast"],
            "answer": 1,
        },
        {"id": "q2", "question": "What decides which process runs?", "choices": ["the kernel", "a disk"], "answer": 0},
    ]
    (ctx.out / "questions.jsonl").write_text("".join(json.dumps(q) + "\n" for q in questions))
    right = {"q1": not config.fails_life, "q2": config.fails_life}
    rows = [_item("mmlu", tasks.ACCURACY, q, config.language, float(ok), 1.0) for q, ok in right.items()]
    tables.write(ctx.out / tables.ITEMS_FILE, tables.table_of(rows, tables.ITEMS), tables.ITEMS)
    return {}


def _made(tmp_path: Path, step: Step[Any]) -> Artifact:
    store = Store(tmp_path)
    return open_artifact(store.path(run([step], store).steps[step.name]))


def _chosen(
    tmp_path: Path, rule: SeedRule, *evaluations: Artifact, count: int = 20, pages: Pages = Pages(), topics: bool = True
) -> Chosen:
    corpus = _made(tmp_path, web.step("docs", pages))
    annotation = _made(tmp_path, web_topics.step("topics", pages)) if topics else None
    return choose_seeds(rule, count, 0, corpus, annotation, evaluations)


def _counts(chosen: Chosen) -> Counter[str]:
    return Counter(seed.discipline.name for seed in chosen.seeds)


def test_what_the_evaluation_room_writes_is_what_is_read_here():
    assert (evidence.HELD_OUT, evidence.ACCURACY) == (held_out.METRIC, tasks.ACCURACY)


def test_disciplines_give_equally_many_snippets_with_their_places(tmp_path: Path):
    chosen = _chosen(tmp_path, RULE)
    assert _counts(chosen) == {"biology": 10, "computing": 10}
    assert chosen.shares == {"biology": 0.5, "computing": 0.5}
    assert chosen.counts == {"topic": 40}
    texts = {d.id: d.text for d, _ in _documents(Pages())}
    for seed in chosen.seeds:
        snippet = seed.snippet
        assert texts[snippet.document][snippet.start : snippet.end] == snippet.text
        assert math.isnan(seed.loss)
        assert seed.weight == 1.0


def test_an_address_goes_before_a_topic_and_a_page_with_neither_is_left_out(tmp_path: Path):
    by_url = _chosen(tmp_path, RULE, pages=Pages(url="https://www.plants.org/x"), topics=False)
    assert {(seed.by, seed.url) for seed in by_url.seeds} == {("url", "https://www.plants.org/x")}
    assert by_url.counts == {"url": 20, "no_discipline": 20}
    with pytest.raises(ConfigError, match="40 have no discipline"):
        _chosen(tmp_path, RULE, topics=False)
    named = _chosen(tmp_path, dataclasses.replace(RULE, otherwise="biology"), topics=False)
    assert {(seed.by, seed.discipline.name) for seed in named.seeds} == {("otherwise", "biology")}


def test_a_paragraph_that_nobody_translated_gives_no_snippet(tmp_path: Path):
    with pytest.raises(ConfigError, match="40 have no snippet"):
        _chosen(tmp_path, dataclasses.replace(RULE, language="zh"), pages=Pages(language="zh"))


def test_a_topic_with_a_high_loss_is_drawn_more_by_the_formula(tmp_path: Path):
    rule = dataclasses.replace(RULE, weakness=Weakness(temperature=1.0, floor=0.2))
    chosen = _chosen(tmp_path, rule, _made(tmp_path, evaluated.step("e", Model())))
    weights = {"biology": math.exp(1.0), "computing": math.exp(-1.0)}
    assert standard_scores({"Life": 2.0, "Machines": 1.0}) == {"Life": 1.0, "Machines": -1.0}
    assert {(s.discipline.name, s.loss, s.weight) for s in chosen.seeds} == {
        ("biology", 2.0, weights["biology"]),
        ("computing", 1.0, weights["computing"]),
    }
    share = 0.2 / 2 + 0.8 * weights["biology"] / sum(weights.values())
    assert chosen.shares["biology"] == pytest.approx(share)
    assert _counts(chosen)["biology"] == pytest.approx(20 * share, abs=1)


def test_snippets_on_what_failed_in_a_quiz_are_drawn_more(tmp_path: Path):
    rule = dataclasses.replace(RULE, weakness=Weakness(temperature=0.5, floor=0.2))
    failed = _chosen(tmp_path, rule, _made(tmp_path, quizzed.step("q", Model(fails_life=True))))
    known = _chosen(tmp_path, rule, _made(tmp_path, quizzed.step("q", Model(fails_life=False))))
    assert _counts(failed)["biology"] > 12 > 8 > _counts(known)["biology"] >= 2
    assert all((s.failure > 0.5) == (s.discipline == BIOLOGY) for s in failed.seeds)
    assert all(math.isnan(s.loss) for s in failed.seeds)


def test_loss_and_quiz_add_up(tmp_path: Path):
    rule = dataclasses.replace(RULE, weakness=Weakness())
    both = (evaluated.step("e", Model()), quizzed.step("q", Model(fails_life=True)))
    chosen = _chosen(tmp_path, rule, *(_made(tmp_path, step) for step in both))
    alone = _chosen(tmp_path, rule, _made(tmp_path, both[0]))
    assert chosen.shares["biology"] > alone.shares["biology"]
    assert chosen == _chosen(tmp_path, rule, *(_made(tmp_path, step) for step in both))


def test_weights_without_evaluations_and_evaluations_without_weights_are_refused(tmp_path: Path):
    weak = dataclasses.replace(RULE, weakness=Weakness())
    with pytest.raises(ConfigError, match="Seeds have weakness, but not the input `evaluations`"):
        _chosen(tmp_path, weak)
    with pytest.raises(ConfigError, match="Seeds have evaluations, but not weakness"):
        _chosen(tmp_path, RULE, _made(tmp_path, evaluated.step("e", Model())))
    with pytest.raises(ConfigError, match="no loss by topic and no questions in 'en'"):
        _chosen(tmp_path, weak, _made(tmp_path, evaluated.step("e", Model(language="zh"))))


def test_weights_that_no_page_has_are_refused(tmp_path: Path):
    weak = dataclasses.replace(RULE, weakness=Weakness(), otherwise="biology")
    with pytest.raises(ConfigError, match=r"topic of the evaluations, which are \['Life', 'Machines'\]"):
        _chosen(tmp_path, weak, _made(tmp_path, evaluated.step("e", Model())), topics=False)


@pytest.mark.parametrize("missing", [1, 40])
def test_topics_of_other_documents_are_refused(tmp_path: Path, missing: int):
    pages = Pages(missing=missing)
    corpus = _made(tmp_path, web.step("docs", pages))
    annotation = _made(tmp_path, web_topics.step("topics", pages))
    with pytest.raises(SchemaError, match="annotation of other documents"):
        choose_seeds(RULE, 5, 0, corpus, annotation, ())


def test_the_table_says_why_a_snippet_was_drawn(tmp_path: Path):
    rule = dataclasses.replace(RULE, weakness=Weakness())
    chosen = _chosen(tmp_path, rule, _made(tmp_path, evaluated.step("e", Model())))
    chosen.write(tmp_path / "seeds.parquet")
    rows = tables.read(tmp_path / "seeds.parquet", tables.SEEDS).to_pylist()
    assert [(r["id"], r["weight"]) for r in rows] == [(s.snippet.document, s.weight) for s in chosen.seeds]
    assert {(r["discipline"], r["topic"], r["loss"], r["told_by"]) for r in rows} == {
        ("biology", "Life", 2.0, "topic"),
        ("computing", "Machines", 1.0, "topic"),
    }
    assert chosen.metrics()["seeds.biology"] == _counts(chosen)["biology"]
