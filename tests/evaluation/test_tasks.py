import json
import os

import pytest

from regraft.core import ConfigError, StepFailed, run
from regraft.corpus import tables
from regraft.evaluation.tasks import TasksConfig, evaluate_tasks

from .conftest import LinesConfig, make_files, question_line

PATH = "questions/test.jsonl"
LINES = ("{broken", *(question_line(i, i % 4) for i in range(12)), question_line(0))


@pytest.fixture
def files():
    return make_files.step("files", LinesConfig(lines=LINES))


def evaluate(store, model, files, **options):
    config = TasksConfig(**{"model": "base", "path": PATH, "num_items": 8, **options})
    record = run([evaluate_tasks.step("evaluate/tasks", config, model=model, files=files)], store)
    return store.resolve(record.steps["evaluate/tasks"])


def test_accuracies_agree_with_the_harness_own_model(store, model, files):
    made = evaluate(store, model, files)
    asked = [json.loads(line) for line in made.file("questions.jsonl").read_text("utf-8").splitlines()]
    rights = _answers_of_the_harness(store.resolve("backbone").file("model"), made.file("questions.jsonl"))
    items = tables.read(made.file(tables.ITEMS_FILE), tables.ITEMS).to_pylist()
    for metric, column in (("accuracy", "acc"), ("accuracy by byte", "acc_bytes")):
        found = {row["item"]: row["value"] for row in items if row["metric"] == metric}
        assert [found[question["id"]] for question in asked] == [right[column] for right in rights]


def _answers_of_the_harness(folder, questions):
    import lm_eval
    import yaml
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    from regraft.evaluation import harness

    text = (harness.resources.files("regraft.evaluation") / "task_files" / "cloze.yaml").read_text("utf-8")
    task = yaml.safe_load(text) | {"dataset_kwargs": {"data_files": {"test": str(questions)}}}
    del task["fewshot_split"], task["fewshot_config"]
    oracle = HFLM(
        pretrained=str(folder), batch_size=1, add_bos_token=False, prefix_token_id=0, dtype="float32", device="cpu"
    )
    encode = oracle.tok_encode
    oracle.tok_encode = lambda string, *a, **k: [0, *encode(string, *a, **k)]  # our begin token, which it cannot add
    with harness._quiet():
        results = lm_eval.evaluate(oracle, TaskManager(include_defaults=False).load([task]), bootstrap_iters=0)
    return sorted(results["samples"]["cloze"], key=lambda s: s["doc_id"])


def test_metrics_say_chance_and_what_was_left_out(store, model, files):
    made = evaluate(store, model, files)
    rows = {r["metric"]: r for r in tables.read(made.file(tables.METRICS_FILE), tables.METRICS).to_pylist()}
    assert rows["accuracy by chance"]["value"] == 0.25
    assert 0 <= rows["accuracy"]["low"] <= rows["accuracy"]["value"] <= rows["accuracy"]["high"] <= 1
    assert {r["n"] for r in rows.values()} == {8}
    counts = {key: made.manifest.metrics[key] for key in ("asked", "not_drawn", "malformed", "duplicate", "too_long")}
    assert counts == {"asked": 8, "not_drawn": 4, "malformed": 1, "duplicate": 1, "too_long": 0}


def test_the_hub_can_be_asked_again_afterwards(store, model, files):
    import datasets
    import huggingface_hub

    from regraft.evaluation import harness

    with harness._offline():
        assert huggingface_hub.constants.is_offline_mode()
        assert datasets.config.HF_DATASETS_OFFLINE
    evaluate(store, model, files)
    assert not huggingface_hub.constants.is_offline_mode()
    assert "HF_HUB_OFFLINE" not in os.environ


def test_nothing_but_our_progress_is_printed(store, model, files, capfd):
    evaluate(store, model, files)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_shots_come_from_questions_that_are_not_asked(store, model, files):
    made = evaluate(store, model, files, num_fewshot=2)
    asked, shown = (
        {json.loads(line)["id"] for line in made.file(name).read_text("utf-8").splitlines()}
        for name in ("questions.jsonl", "shots.jsonl")
    )
    assert (len(asked), len(shown)) == (8, 2)
    assert not asked & shown


def test_batches_change_nothing(store, model, files):
    one, many = (evaluate(store, model, files, batch_tokens=n) for n in (1, 4096))
    values = [tables.read(a.file(tables.ITEMS_FILE), tables.ITEMS)["value"].to_pylist() for a in (one, many)]
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_a_question_longer_than_the_context_is_an_error(store, model):
    long = {"question": "word " * 2000, "options": "A. x\nB. y", "answer": "A. x"}
    files = make_files.step("files", LinesConfig(lines=(json.dumps(long),)))
    with pytest.raises(StepFailed, match="max_characters"):
        evaluate(store, model, files, max_characters=0)


def test_no_question_at_all_is_an_error(store, model):
    files = make_files.step("files", LinesConfig(lines=("{broken",)))
    with pytest.raises(StepFailed, match="malformed"):
        evaluate(store, model, files)


def test_config_is_checked():
    with pytest.raises(ConfigError, match="positive"):
        TasksConfig(model="base", num_items=0)
