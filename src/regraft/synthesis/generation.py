"""How a stage of this room asks its models, and where the answers are kept: an answer is paid for once.

Answers lie in the scratch of the step, which is its ledger too, and in the cache, which outlives it: a step that
differs from an earlier one only in what it makes of answers finds all of them there. In the step's
budget of tokens they count as if it had bought them, so that what is made does not hang on the cache.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

from regraft.core import Context
from regraft.lm.client.ask import ask, opened_endpoint
from regraft.lm.client.chat import ChatRequest
from regraft.lm.client.endpoint import Endpoint
from regraft.lm.client.generate import Follow
from regraft.lm.client.limits import Limits, Outcome
from regraft.lm.client.means import Asks
from regraft.lm.client.responses import ResponseStore
from regraft.synthesis.cached_store import CachedStore


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
def opened(ctx: Context, config: Asks, num_requests: int) -> Generator[Models]:
    """Yield the models, ready to be asked.

    Raises:
        ConfigError: as `check_means`.
    """
    generator = ctx.optional("generator")
    whose = generator.manifest.content_digest if generator else "endpoint"
    cache = ctx.execution.cache / "responses" / f"{whose}.sqlite"
    with (
        CachedStore(ctx.scratch / "responses.sqlite", cache) as store,
        opened_endpoint(ctx, config, num_requests) as (endpoint, limits),
    ):
        yield Models(store=store, endpoint=endpoint, limits=limits, ctx=ctx)
