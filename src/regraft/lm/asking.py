"""How a stage asks a model: a server of our own for a GGUF file, else the endpoint of the execution; loud failure."""

import os
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from pathlib import Path

from regraft.core import ConfigError, Context, RegraftError
from regraft.lm import client
from regraft.lm.chat import ChatRequest
from regraft.lm.client import Follow, nothing
from regraft.lm.endpoint import Endpoint
from regraft.lm.limits import Limits, Outcome
from regraft.lm.provider_batches import generate_in_batches
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
        yield Endpoint(base_urls=(given,), key_variable=key), Limits(budget_tokens=budget_tokens)
        return
    with ExitStack() as servers:
        count = min(ctx.execution.workers, num_requests)
        urls = [servers.enter_context(embedded_server(generator)) for _ in range(count)]
        yield Endpoint(base_urls=tuple(urls)), Limits(concurrency=count, budget_tokens=budget_tokens)


def ask(
    requests: Iterable[ChatRequest],
    endpoint: Endpoint,
    limits: Limits,
    store: ResponseStore,
    ctx: Context,
    label: str,
    *,
    total: int,
    follow: Follow = nothing,
) -> dict[str, Outcome]:
    """Return by key what became of each request that has no answer: refusals and the budget are the only reasons.

    Args:
        requests: read as there is room for them.
        endpoint: where to send them.
        limits: how hard and for how much to ask.
        store: of answers.
        ctx: of the step, for its log and its progress.
        label: of the progress.
        total: how many requests there will be, with those that follow, as far as that is known.
        follow: what is to be asked once a request is answered.

    Raises:
        RegraftError: the endpoint failed, or nothing was answered at all; what was answered stays in the store.
    """
    asked = ", ".join(endpoint.base_urls)
    ctx.log.info("requests go to %s; %d of %d are answered already", asked, min(store.num_answers(), total), total)
    worst: dict[str, Outcome] = {}
    counts = Counter[str]()
    with ctx.track(label, total, "requests") as ticker:

        def count(_: ChatRequest, outcome: Outcome) -> None:
            counts[outcome.ending] += 1
            worst[outcome.ending] = outcome
            ticker.advance(1, outcome.ending)

        in_batches = ctx.execution.provider_batches and ctx.execution.endpoint  # a server of our own has none
        generate = generate_in_batches if in_batches else client.generate
        unanswered = generate(requests, endpoint, store, limits, count, follow)
    failure = worst.get("failed") or worst.get("stopped")
    if failure is None and "stored" not in worst:
        failure = worst.get("refused") or worst.get("budget")
    if failure is not None:
        raise RegraftError(
            f"{counts['stored']} of {counts.total()} requests to {asked} are answered; then: {failure.reason}. "
            "The answers are kept: the same command goes on with the rest."
        )
    return unanswered
