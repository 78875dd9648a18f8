import math

import pytest

from regraft.core import StepFailed, run
from regraft.corpus import tables
from regraft.evaluation.held_out import HeldOutConfig, evaluate_held_out
from regraft.evaluation.retention import CompareConfig, compare_models
from regraft.evaluation.tasks import TasksConfig, evaluate_tasks

from .conftest import MANY_TEXTS, LinesConfig, TextsConfig, make_corpus, make_files, make_topics, question_line


@pytest.fixture
def sides(model, other_model, many_documents):
    topics = make_topics.step("topics/many", TextsConfig(rows=MANY_TEXTS), docs=many_documents)
    files = make_files.step("files", LinesConfig(lines=tuple(question_line(i, i % 4) for i in range(20))))
    return [
        [
            evaluate_held_out.step(
                f"{name}/held-out", HeldOutConfig(model=name), model=m, docs=many_documents, topics=topics
            ),
            evaluate_tasks.step(
                f"{name}/tasks", TasksConfig(model=name, path="questions/test.jsonl"), model=m, files=files
            ),
        ]
        for name, m in (("base", model), ("trained", other_model))
    ]


def compare(store, before, after):
    record = run([compare_models.step("compare", CompareConfig(resamples=500), before=before, after=after)], store)
    made = store.resolve(record.steps["compare"])
    return made, tables.read(made.file(tables.METRICS_FILE), tables.METRICS).to_pylist()


def test_changes_follow_from_the_evaluations(store, sides):
    made, rows = compare(store, *sides)
    figures = {(r["task"], r["metric"], r["slice"]): r for r in rows}
    old, new = (
        {
            r["slice"]: r["value"]
            for r in tables.read(store.resolve(f"{n}/held-out").file(tables.METRICS_FILE), tables.METRICS).to_pylist()
        }
        for n in ("base", "trained")
    )
    change = figures["held-out text", "relative change of bits per byte", "zh"]
    assert change["value"] == pytest.approx(new["zh"] / old["zh"] - 1)
    assert change["low"] <= change["value"] <= change["high"]
    assert figures["held-out text", "bits per byte before", "zh/debian-zh/Security"]["value"] == pytest.approx(
        old["zh/debian-zh/Security"]
    )
    assert {r["model"] for r in rows} == {"trained"}
    assert made.manifest.metrics["before"] == "base"


def test_accuracy_has_a_difference_with_gained_lost_and_mcnemar(store, sides):
    _, rows = compare(store, *sides)
    figures = {r["metric"]: r for r in rows if r["task"] == "mmlu"}
    gained, lost = figures["accuracy gained"]["value"], figures["accuracy lost"]["value"]
    assert figures["change of accuracy"]["value"] == pytest.approx((gained - lost) / 20)
    assert 0 < figures["accuracy McNemar p"]["value"] <= 1
    assert math.isnan(figures["accuracy gained"]["low"])
    assert "relative change of bits per byte of the answer" in figures


def test_clusters_are_resampled_and_counted(store, model, other_model):
    books = TextsConfig(rows=MANY_TEXTS, files=tuple(f"book{i}/page.html" for i in range(6)))
    pages = make_corpus.step("pages", books)
    before, after = (
        [evaluate_held_out.step(f"{n}/pages", HeldOutConfig(model=n), model=m, docs=pages)]
        for n, m in (("base", model), ("trained", other_model))
    )
    _, rows = compare(store, before, after)
    assert {(r["slice"], r["n"], r["clusters"]) for r in rows if r["slice"] in ("zh", "en")} == {
        ("zh", 24, 6),
        ("en", 18, 12),
    }
    (change,) = (r for r in rows if r["metric"].startswith("relative") and r["slice"] == "zh")
    assert change["low"] <= change["value"] <= change["high"]


def test_the_same_documents_cut_elsewhere_are_no_comparison(store, sides, other_model, many_documents):
    shorter = evaluate_held_out.step(
        "trained/short", HeldOutConfig(model="trained", max_tokens=8), model=other_model, docs=many_documents
    )
    whole = evaluate_held_out.step("base/whole", HeldOutConfig(model="base"), model=other_model, docs=many_documents)
    with pytest.raises(StepFailed, match="max_bytes"):
        compare(store, [whole], [shorter])


def test_other_documents_are_no_comparison(store, sides, model, many_documents):
    fewer = HeldOutConfig(model="trained", languages=("zh",))
    after = evaluate_held_out.step("trained/less", fewer, model=model, docs=many_documents)
    with pytest.raises(StepFailed, match="one side only"):
        compare(store, sides[0], [after])


def test_two_models_on_one_side_are_refused(store, sides):
    with pytest.raises(StepFailed, match="one model"):
        compare(store, sides[0], [sides[0][0], sides[1][1]])
