"""What each stage writes for a tiny input. A change here without a raised stage version is a mistake."""

import pytest

from regraft.core import run
from regraft.corpus import tables
from regraft.evaluation.held_out import HeldOutConfig, evaluate_held_out
from regraft.evaluation.retention import CompareConfig, compare_models
from regraft.evaluation.tasks import TasksConfig, evaluate_tasks

from .conftest import LinesConfig, make_files, question_line


def figures(store, step, places=3):
    made = store.resolve(step)
    rows = tables.read(made.file(tables.METRICS_FILE), tables.METRICS).to_pylist()
    return {(r["metric"], r["slice"]): tuple(round(r[k], places) for k in ("value", "low", "high")) for r in rows}


@pytest.fixture
def made(store, model, other_model, many_documents):
    files = make_files.step("files", LinesConfig(lines=tuple(question_line(i, i % 4) for i in range(20))))
    before, after = (
        evaluate_held_out.step(f"{name}/held-out", HeldOutConfig(model=name), model=m, docs=many_documents)
        for name, m in (("base", model), ("trained", other_model))
    )
    asked = evaluate_tasks.step(
        "tasks", TasksConfig(model="base", path="questions/test.jsonl"), model=model, files=files
    )
    run([asked, compare_models.step("compare", CompareConfig(), before=before, after=after)], store)
    return store


def test_evaluate_held_out(made):
    assert (evaluate_held_out.version, figures(made, "base/held-out")["bits per byte", "zh"]) == (
        2,
        (5.448, 5.181, 5.71),
    )


def test_evaluate_tasks(made):
    found = figures(made, "tasks")
    assert evaluate_tasks.version == 2
    assert found["accuracy", "en"] == (0.25, 0.112, 0.469)
    assert found["bits per byte of the answer", "en"] == (7.543, 7.376, 7.696)


def test_compare_models(made):
    assert (compare_models.version, figures(made, "compare")["relative change of bits per byte", "en"]) == (
        2,
        (0.008, -0.002, 0.019),
    )
