"""How a stage asks a model: a server of our own for a GGUF file, else the endpoint of the execution; loud failure."""

import os
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from regraft.core import ConfigError, Context, RegraftError
from regraft.lm import client
from regraft.lm.chat import ChatRequest
from regraft.lm.client import Limits, Outcome
from regraft.lm.endpoint import Endpoint
from regraft.lm.responses import ResponseStore
from regraft.lm.server import embedded_server

KEY_VARIABLE = "REGRAFT_API_KEY"
"""Environment variable with the key of an endpoint that wants one."""


@contextmanager
def opened_endpoint(
    ctx: Context, generator: Path | None, num_requests: int, budget_tokens: int
) -> Generator[tuple[Endpoint, Limits]]:
    """Yield where to send requests, and how many at once.

    Raises:
        ConfigError: neither a generator nor an endpoint is given, or both, so that it is unclear whose model is meant.
    """
    given = ctx.execution.endpoint
    if (generator is None) == (not given):
        many = "both an endpoint and" if given else "neither an endpoint nor"
        raise ConfigError(f"There is {many} a GGUF file to ask. Give --endpoint URL or wire the input `generator`.")
    if generator is None:
        key = KEY_VARIABLE if os.environ.get(KEY_VARIABLE) else ""
        yield Endpoint(base_urls=(given,), key_variable=key), client.Limits(budget_tokens=budget_tokens)
        return
    with ExitStack() as servers:
        count = min(ctx.execution.workers, num_requests)
        urls = [servers.enter_context(embedded_server(generator)) for _ in range(count)]
        yield Endpoint(base_urls=tuple(urls)), client.Limits(concurrency=count, budget_tokens=budget_tokens)


def ask(
    requests: Sequence[ChatRequest], endpoint: Endpoint, limits: Limits, store: ResponseStore, ctx: Context, label: str
) -> dict[str, Outcome]:
    """Return what became of each request; refusals and the budget are the only reasons that some have no answer.

    Raises:
        RegraftError: the endpoint failed, or nothing was answered at all; what was answered stays in the store.
    """
    asked = ", ".join(endpoint.base_urls)
    known = len(store.answered() & {request.key for request in requests})
    ctx.log.info("requests go to %s; %d of %d are answered already", asked, known, len(requests))
    with ctx.track(label, len(requests), "requests") as ticker:
        outcomes = client.generate(
            requests, endpoint, store, limits, lambda _, outcome: ticker.advance(1, outcome.ending)
        )
    by_ending = {outcome.ending: outcome for outcome in outcomes.values()}
    worst = by_ending.get("failed") or by_ending.get("stopped")
    if worst is None and "stored" not in by_ending:
        worst = by_ending.get("refused") or by_ending.get("budget")
    if worst is not None:
        answered = sum(outcome.ending == "stored" for outcome in outcomes.values())
        raise RegraftError(
            f"{answered} of {len(outcomes)} requests to {asked} are answered; then: {worst.reason}. "
            "The answers are kept: the same command goes on with the rest."
        )
    return outcomes
