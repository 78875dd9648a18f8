"""How a stage of this room asks its models, and where the answers are kept: an answer is paid for once.

Answers lie in the scratch of the step, which is its ledger too, and in the cache, which outlives it: a step that
differs from an earlier one only in what it makes of answers finds all of them there. The budget of a step is for what
it buys itself.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

from regraft.core import ConfigError, Context
from regraft.lm.client.ask import ask, opened_endpoint
from regraft.lm.client.chat import ChatRequest
from regraft.lm.client.endpoint import Endpoint
from regraft.lm.client.generate import Follow
from regraft.lm.client.limits import Limits, Outcome
from regraft.lm.client.responses import ResponseStore
from regraft.synthesis.cached_store import CachedStore
from regraft.synthesis.tasks import Checks
from regraft.synthesis.writer import WriterConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The models that a stage asks, and what they answered."""

    store: ResponseStore
    endpoint: Endpoint
    limits: Limits
    ctx: Context

    def ask(self, requests: Iterable[ChatRequest], total: int, follow: Follow) -> dict[str, Outcome]:
        """Return by key what became of each request that has no answer, those that follow from answers included.

        Args:
            requests: read as there is room for them.
            total: how many there are, with those that follow, as far as that is known.
            follow: what is to be asked once a request is answered.

        Raises:
            RegraftError: the endpoint failed, or nothing was answered at all; what was answered stays in the store.
        """
        return ask(requests, self.endpoint, self.limits, self.store, self.ctx, "generate", total=total, follow=follow)

    def cost(self) -> float | None:
        """Return what the step has bought, failed attempts included; None where the price is not known."""
        price = self.limits.price
        return price.of(self.store.spent()) if price else None


@contextmanager
def opened(
    ctx: Context, writer: WriterConfig, checks: Checks, budget_tokens: int, num_requests: int
) -> Generator[Models]:
    """Yield the models, ready to be asked.

    Raises:
        ConfigError: neither an endpoint nor a generator, or both, so that it is unclear whose model is meant; a judge
            that the generator is not.
    """
    _check_means(ctx, writer, checks)
    generator = ctx.optional("generator")
    gguf = generator.file(writer.model) if generator else None
    whose = generator.manifest.content_digest if generator else "endpoint"
    cache = ctx.execution.cache / "responses" / f"{whose}.sqlite"
    with (
        CachedStore(ctx.scratch / "responses.sqlite", cache) as store,
        opened_endpoint(ctx, gguf, num_requests, budget_tokens) as (endpoint, limits),
    ):
        yield Models(store=store, endpoint=endpoint, limits=limits, ctx=ctx)


def _check_means(ctx: Context, writer: WriterConfig, checks: Checks) -> None:
    """Ask for exactly one endpoint: the config names the model, so it must be clear whose name that is."""
    generator, endpoint = ctx.optional("generator"), ctx.execution.asking.endpoints
    if generator is not None and endpoint:
        raise ConfigError(
            f"The step is wired to ask {writer.model} in a server of its own, but an endpoint is given too. "
            "Give --generator NAME, the model's name there, together with --endpoint, or neither."
        )
    if generator is None and not endpoint:
        raise ConfigError(
            f"The step is to ask {writer.model}, but no endpoint. Give --endpoint URL with --generator NAME, or wire "
            "a step that makes the GGUF file as input `generator`."
        )
    for name, other in (("judge", checks.judge), ("solver", checks.solver)):
        if generator is not None and other is not None and other.model != writer.model:
            raise ConfigError(
                f"The server of {writer.model} cannot answer as {other.model}, the {name}. Name the same model, or "
                "give an --endpoint that serves both."
            )
