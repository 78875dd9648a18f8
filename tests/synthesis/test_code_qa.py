import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from regraft.core import Artifact, Asking, ConfigError, Execution, RawFiles, StepFailed, Store, open_artifact, run
from regraft.corpus import tables
from regraft.corpus.ingest import IngestConfig, JsonLines, ingest
from regraft.lm.client.responses import ResponseStore
from regraft.synthesis.code.code_qa import CodeQaConfig, code_qa
from regraft.synthesis.code.problems import ProblemFields
from regraft.synthesis.sandbox import trials
from regraft.synthesis.sandbox.isolation import Limits
from regraft.synthesis.writer import WriterConfig
from tests.lm.loopback import completion, serving
from tests.synthesis.given import digest

SEEDS = [
    {
        "title": "Vowels",
        "content": "Write a function `vowels` that returns how many vowels a word has.",
        "python": "def vowels(word):\n    return sum(letter in 'aeiou' for letter in word)",
        "asserts": "assert vowels('tree') == 2\nassert vowels('') == 0",
    },
    {
        "title": "Largest gap",
        "content": "Write a function `gap` that returns the largest difference of neighbours in a list of numbers.",
        "python": "def gap(row):\n    return max((abs(a - b) for a, b in zip(row, row[1:])), default=0)",
        "asserts": "assert gap([1, 4, 2]) == 3\nassert gap([5]) == 0",
    },
    {"title": "No tests", "content": "Write a function that nobody tests.", "python": "def f(): pass", "asserts": ""},
]
CONFIG = CodeQaConfig(
    writer=WriterConfig(model="m"),
    num_requests=4,
    problems=ProblemFields(solution="python", tests="asserts"),
    limits=Limits(cpu_s=2),
)
READER = JsonLines(text="content", title="title", keep=("python", "asserts"))


def written(name: str, statement: str, body: str, expected: int = 4) -> str:
    return (
        f"Problem: Write a function `{name}` that {statement}.\nSolution:\n```python\ndef {name}(n):\n    {body}\n```\n"
        f"Tests:\n```python\nassert {name}(2) == {expected}\nassert {name}(3) != 5\n```"
    )


ANSWERS = [
    written("double", "takes a whole number and returns what it is together with itself", "return n + n"),
    written("square", "computes how many tiles cover a quadratic floor with the given side", "return n * n"),
    written("cube", "computes the volume of a box whose three edges all are equally long", "return n ** 3"),
    written("loops", "keeps the processor busy until somebody finds a reason to stop it", "while True: pass"),
]


async def programmer(body: dict[str, Any], num_seen: int) -> web.StreamResponse:
    """Answer by the seed of the request, so that their order plays no part; by a part of it that has all four come."""
    return completion(ANSWERS[body["seed"] // 6 % len(ANSWERS)])


def made(root: Path, endpoint: str, config: CodeQaConfig = CONFIG, means: Execution | None = None) -> Artifact:
    (root / "raw").mkdir(parents=True, exist_ok=True)
    (root / "raw/problems.jsonl").write_text("".join(json.dumps(seed) + "\n" for seed in SEEDS))
    files = RawFiles(root=str(root / "raw"))
    problems = ingest.step("problems", IngestConfig(source="leetcode", reader=READER, language="en", files=files))
    store, step = Store(root / "store"), code_qa.step("qa", config, problems=problems)
    given = means or Execution(cache=root / "cache", unsafe_code=True)  # what is run here means no harm
    execution = dataclasses.replace(given, asking=Asking(endpoints=(endpoint,)))
    return open_artifact(store.path(run([step], store, execution).steps["qa"]))


def rows(artifact: Artifact, name: str) -> list[dict[str, Any]]:
    schema = {"documents": tables.DOCUMENTS, "rejects": tables.REJECTS}[name]
    return tables.read_shards(artifact.path, name, schema).to_pylist()


def answering(*answers: str):
    left = iter(answers)

    async def answer(body: dict[str, Any], num_seen: int) -> web.StreamResponse:
        return completion(next(left))

    return answer


def test_each_problem_is_accounted_for(tmp_path: Path):
    with serving(answering(*ANSWERS)) as (endpoint, _):
        artifact = made(tmp_path, endpoint.base_urls[0])
    found = rows(artifact, "documents")
    assert [row["source"] for row in found] == ["code-qa"] * 2
    assert sorted(r["reason"] for r in rows(artifact, "rejects")) == [
        "program_failed",
        "program_timeout",
        "seed_unusable",
    ]
    for row in found:
        meta = json.loads(row["meta"])
        assert len(row["parents"]) == 2
        assert row["text"][int(meta["solution_start"]) :].startswith("```python\ndef ")
        assert "assert" not in row["text"]
        assert meta["num_assertions"] == "2"
        assert meta["isolation"] in ("bubblewrap", "namespaces", "none")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (SEEDS[0]["content"], "unparsable"),
        (ANSWERS[0].replace("== 4", "!= 9"), "tests_prove_nothing"),
        (ANSWERS[0].replace("return n + n", "raise SystemExit"), "program_failed"),
        (ANSWERS[0].replace("return n + n", "import os; os._exit(0)"), "program_crashed"),
        (ANSWERS[0].replace("return n + n", "return open('/etc/passwd')"), "program_failed"),
        (ANSWERS[0].replace("assert double(3) != 5\n", ""), "few_assertions"),
    ],
)
def test_what_is_wrong_has_a_reason(tmp_path: Path, answer: str, reason: str):
    with serving(answering(answer)) as (endpoint, _):
        artifact = made(tmp_path, endpoint.base_urls[0], dataclasses.replace(CONFIG, num_requests=1))
    assert [r["reason"] for r in rows(artifact, "rejects")] == ["seed_unusable", reason]


def test_copies_of_seeds_and_of_each_other_are_rejected(tmp_path: Path):
    copied = ANSWERS[0].replace(ANSWERS[0].splitlines()[0], f"Problem: {SEEDS[0]['content']}")
    config = dataclasses.replace(CONFIG, num_requests=3)
    with serving(answering(copied, ANSWERS[0], ANSWERS[0])) as (endpoint, _):
        artifact = made(tmp_path, endpoint.base_urls[0], config)
    assert sorted(r["reason"] for r in rows(artifact, "rejects")) == ["copied_seed", "duplicate", "seed_unusable"]


def test_the_order_of_answers_plays_no_part(tmp_path: Path):
    digests: set[str] = set()
    for name in ("a", "b"):
        with serving(programmer) as (endpoint, _):
            digests.add(made(tmp_path / name, endpoint.base_urls[0]).manifest.content_digest)
    assert len(digests) == 1


def test_golden(tmp_path: Path):
    with serving(programmer) as (endpoint, _):
        artifact = made(tmp_path, endpoint.base_urls[0])
    documents = [{**row, "meta": {**json.loads(row["meta"]), "isolation": ""}} for row in rows(artifact, "documents")]

    assert len(documents) == 2
    assert digest(documents) == "ba9276f5f7649382"
    responses = tables.read(artifact.file(tables.RESPONSES_FILE), tables.RESPONSES).to_pylist()
    assert digest(responses) == "a6f90edb2862508b"


_RUN = """
    import sys
    from pathlib import Path
    from tests.synthesis.test_code_qa import made
    made(Path(sys.argv[2]), sys.argv[1])
"""


def test_a_killed_stage_buys_no_stored_answer_again_and_gives_the_same_texts(tmp_path: Path):
    go_on = threading.Event()

    async def hang_on_the_third(body: dict[str, Any], num_seen: int) -> web.StreamResponse:
        if sum(server.seen.values()) >= 3 and not go_on.is_set():
            return web.Response(status=503, headers={"Retry-After": "30"})
        return await programmer(body, num_seen)

    with serving(hang_on_the_third) as (endpoint, server):
        command = [sys.executable, "-c", textwrap.dedent(_RUN), endpoint.base_urls[0], str(tmp_path / "killed")]
        child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
        wait_for_answers(tmp_path / "killed", 2)
        child.send_signal(signal.SIGKILL)
        child.wait()
        go_on.set()
        before = sum(server.seen.values())
        artifact = made(tmp_path / "killed", endpoint.base_urls[0])
        assert sum(server.seen.values()) - before == 2
    with serving(programmer) as (endpoint, _):
        whole = made(tmp_path / "whole", endpoint.base_urls[0])
    assert artifact.manifest.content_digest == whole.manifest.content_digest


def wait_for_answers(root: Path, count: int) -> None:
    for _ in range(600):
        for database in root.glob("store/.scratch/code_qa-*/responses.sqlite"):
            with ResponseStore(database) as store:
                if store.num_answers() >= count:
                    return
        time.sleep(0.1)
    pytest.fail(f"no {count} answers in {root} within a minute")


def test_a_run_that_was_cut_off_tries_no_program_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tried: list[str] = []
    real = trials.try_out

    def counting(program: Any, *means: Any) -> Any:
        tried.append(program.solution)
        return real(program, *means)

    def cut(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(trials, "try_out", counting)
    with serving(programmer) as (endpoint, server):
        with monkeypatch.context() as patch:
            patch.setattr("regraft.synthesis.texts.TextWriter.metrics", cut)
            with pytest.raises(KeyboardInterrupt):
                made(tmp_path, endpoint.base_urls[0])
        before, asked = len(tried), sum(server.seen.values())
        made(tmp_path, endpoint.base_urls[0])
        assert sum(server.seen.values()) == asked
    assert before == len(tried) > 0


def test_without_isolation_it_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def none(*, unsafe: bool) -> None:
        if not unsafe:
            raise ConfigError("say --unsafe-code")

    monkeypatch.setattr("regraft.synthesis.sandbox.choice.choose_isolation", none)
    with pytest.raises(ConfigError, match="step 'qa': say --unsafe-code"):
        made(tmp_path, "http://127.0.0.1:9/v1", means=Execution(cache=tmp_path / "cache"))


def test_no_usable_seed_problem_is_an_error(tmp_path: Path):
    config = dataclasses.replace(CONFIG, problems=ProblemFields(solution="java"))
    with pytest.raises(StepFailed, match=r"None of the 3 documents .*java: there is none"):
        made(tmp_path, "http://127.0.0.1:9/v1", config)
