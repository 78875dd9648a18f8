"""How a stage asks a model: a server of our own for a GGUF file, else the endpoint of the execution; loud failure."""

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager

from regraft.core import Asking, Context, RegraftError
from regraft.lm.client.chat import ChatRequest
from regraft.lm.client.endpoint import Endpoint
from regraft.lm.client.generate import KNOWN, Follow, generate, nothing
from regraft.lm.client.limits import Limits, Outcome, Price
from regraft.lm.client.means import KEY_VARIABLE, Asks, check_means, endpoint_of
from regraft.lm.client.provider_batches import generate_in_batches
from regraft.lm.client.responses import ResponseStore
from regraft.lm.client.server import embedded_server

GO_ON = "The answers are kept: the same command goes on with the rest."
ADVICE = {"money": f"{GO_ON} Give a larger --budget-money with it.", "budget": "Give a larger budget of tokens."}
"""By how a request ended."""
LOOK = (
    "See that the server runs, and that its URL (most end in /v1), the model's name and the key in "
    f"{KEY_VARIABLE} are right; then the same command tries again."
)
"""Where nothing was answered."""
LEFT_OUT = 0.01
"""Requests that failed for good, to those that were answered; more is an error. Not in the paper."""


@contextmanager
def opened_endpoint(ctx: Context, config: Asks, num_requests: int) -> Generator[tuple[Endpoint, Limits]]:
    """Yield where to send requests, and how many at once.

    Raises:
        ConfigError: as `check_means`.
    """
    check_means(config, ctx.execution, [role for role, given in ctx.inputs.items() if given])
    generator = ctx.optional("generator")
    if generator is None:
        yield endpoint_of(ctx.execution.asking), _limits(ctx.execution.asking, config.budget_tokens)
        return
    with ExitStack() as servers:
        count = min(ctx.execution.workers, num_requests)
        gguf = generator.file(config.models[0])
        urls = [servers.enter_context(embedded_server(gguf)) for _ in range(count)]
        yield Endpoint(base_urls=tuple(urls)), Limits(concurrency=count, budget_tokens=config.budget_tokens)


def _limits(asking: Asking, budget_tokens: int) -> Limits:
    prompt, completion = asking.prompt_price, asking.completion_price
    return Limits(
        concurrency=asking.concurrency,
        requests_per_minute=asking.requests_per_minute,
        tokens_per_minute=asking.tokens_per_minute,
        budget_tokens=budget_tokens,
        budget_money=asking.budget_money,
        price=None if prompt is None or completion is None else Price(prompt=prompt, completion=completion),
        timeout_s=asking.timeout_s,
    )


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
    """Return by key what became of each request that has no answer: refused, left out by the budget, or failed.

    One request in `1 / LEFT_OUT` may fail for good, and one in any case: the endpoint answers the others, so it is the
    request that it cannot answer.

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
    asked, known = ", ".join(endpoint.base_urls), min(store.num_answers(), total)
    ctx.log.info("requests go to %s%s", asked, f"; {known} of {total} are answered already" if known else "")
    worst: dict[str, Outcome] = {}
    counts, before = Counter[str](), 0
    with ctx.track(label, total, "requests", known) as ticker:

        def count(_: ChatRequest, outcome: Outcome) -> None:
            nonlocal before
            counts[outcome.ending] += 1
            worst[outcome.ending] = outcome
            before += outcome is KNOWN
            if outcome is not KNOWN or before > known:  # the progress begins with the others
                ticker.advance(1, outcome.ending)

        asking = ctx.execution.asking
        in_batches = asking.provider_batches and asking.endpoints  # a server of our own has none
        how = generate_in_batches if in_batches else generate
        unanswered = how(requests, endpoint, store, limits, count, follow)
    ctx.log.info("%d of %d requests are answered, %d of them by earlier runs", counts["stored"], counts.total(), before)
    few = counts["failed"] <= max(1, LEFT_OUT * counts["stored"]) and "stored" in worst
    failure = worst.get("stopped") or worst.get("money") or (None if few else worst.get("failed"))
    if failure is None and "stored" not in worst:
        failure = worst.get("refused") or worst.get("budget")
    if failure is None and counts["failed"]:
        ctx.log.warning("%d requests got no answer and are left out: %s", counts["failed"], worst["failed"].reason)
    if failure is not None:
        raise RegraftError(
            f"{counts['stored']} of {counts.total()} requests to {asked} are answered; then: {failure.reason}. "
            f"{ADVICE.get(failure.ending, GO_ON if counts['stored'] else LOOK)}"
        )
    return unanswered
