"""The batch API of a provider (OpenAI format): another way to the same store, cheaper, with answers within a day.

Requests go up as files, and come back when the provider has had time for them. What is on its way is kept in the store,
so that a run that was killed collects what it sent instead of sending it again.
"""

import asyncio
import json
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from regraft.lm.client.budget import Budget
from regraft.lm.client.chat import ChatRequest
from regraft.lm.client.endpoint import Endpoint
from regraft.lm.client.generate import KNOWN, STORED, Follow, OnOutcome, ignore, nothing
from regraft.lm.client.limits import Limits, Outcome
from regraft.lm.client.provider import Provider
from regraft.lm.client.provider_http import ProviderHttp
from regraft.lm.client.responses import Exchange, ResponseStore

POLL_S = 30.0
"""Between two looks at a batch."""
GROUP = 500
"""Results that are stored in one transaction."""
BATCH_REQUESTS, BATCH_BYTES = 50_000, 150_000_000
"""At most in one file; the provider's bounds are 50,000 requests and 200 MB."""


def generate_in_batches(
    requests: Iterable[ChatRequest],
    endpoint: Endpoint,
    store: ResponseStore,
    limits: Limits,
    on_outcome: OnOutcome = ignore,
    follow: Follow = nothing,
    *,
    poll_s: float = POLL_S,
) -> dict[str, Outcome]:
    """Have every request answered that has no answer in `store`; say of those without one, by key, why.

    As `generate`, but in rounds: what follows from answers, and what came back without an answer, goes into
    the next one. Of the limits, rates and numbers in flight have no meaning here; the first server of the endpoint is
    asked. A run that is stopped, by a signal too, leaves its batch with the provider: the next one collects it.

    Args:
        requests: none twice.
        endpoint: whose `/files` and `/batches` are used.
        store: of answers, of what they cost, and of batches on their way.
        limits: for how much to ask, and how often.
        on_outcome: told of every request what became of it, as soon as that is known.
        follow: what is to be asked once a request is answered.
        poll_s: seconds between two looks at a batch.

    Raises:
        ConfigError: the API key's variable is not set.
        RegraftError: the provider refuses a file or a batch, or cannot be reached; what was answered is stored.
    """
    rounds = _Rounds(store=store, limits=limits, on_outcome=on_outcome, follow=follow)
    asyncio.run(rounds.run(iter(requests), endpoint, poll_s))
    return rounds.unanswered


@dataclass(kw_only=True)
class _Rounds:
    """Batches, one after the other."""

    store: ResponseStore
    limits: Limits
    on_outcome: OnOutcome
    follow: Follow
    unanswered: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    line: deque[ChatRequest] = field(default_factory=deque[ChatRequest])
    """What goes before new requests: what follows from answers, and what is to be tried again."""
    lent_tokens: int = 0
    """That answers took which other steps bought."""
    tries: Counter[str] = field(default_factory=Counter[str])

    async def run(self, requests: Iterator[ChatRequest], endpoint: Endpoint, poll_s: float) -> None:
        async with ProviderHttp(endpoint, self.limits).opened() as http:
            provider = Provider(http, self.limits.max_attempts)
            for name, id_ in self.store.batches().items():  # of an earlier run
                await self._collect(provider, name, id_ or await provider.find(name, poll_s), poll_s)
            self.store.charge_lost()
            while batch := self._gather(requests):
                name = uuid.uuid4().hex  # what is tried again must not meet its last batch
                self.store.open_batch(name, batch.values())
                id_ = await provider.send(name, b"".join(map(_line, batch.values())), poll_s)
                self.store.batch_sent(name, id_)
                self._look(batch, await self._collect(provider, name, id_, poll_s))

    async def _collect(self, provider: Provider, name: str, id_: str, poll_s: float) -> dict[str, str]:
        """Store what comes of a batch; return by key why a request has no answer. One without id was never started."""
        failures: dict[str, str] = {}
        if id_:
            batch = await provider.ended(id_, poll_s)
            group: dict[str, tuple[int, bytes]] = {}
            async for key, result in provider.results(batch):
                group[key] = result
                if result[0] != 200:
                    failures[key] = f"HTTP {result[0]}: {result[1][:200].decode('utf-8', 'replace')}"
                if len(group) == GROUP:
                    self.store.settle(name, group)
                    group = {}
            self.store.settle(name, group)
            await provider.forget(batch)
            if batch.error:
                failures[""] = batch.error
        self.store.close_batch(name)
        return failures

    def _gather(self, requests: Iterator[ChatRequest]) -> dict[str, ChatRequest]:
        """Return the requests of the next batch; none when nothing is left that fits into the budget."""
        budget, batch, size = Budget(self.limits, self.store.spent(), self.lent_tokens), dict[str, ChatRequest](), 0
        while len(batch) < BATCH_REQUESTS and size < BATCH_BYTES:
            request = self.line.popleft() if self.line else next(requests, None)
            if request is None:
                break
            if request.key in batch or request.key in self.unanswered or self._is_answered(request, KNOWN):
                continue
            lent = self.store.find_lent(request.key)
            if lent and budget.fits_lent(request):
                budget.lend(lent.usage)
                self.lent_tokens = budget.lent_tokens
                self._answered(request, lent, KNOWN)
            elif not lent and budget.fits(request):
                budget.reserve(request)
                batch[request.key] = request
                size += len(request.body())
            elif batch:  # what the batch leaves of the budget is known once it is settled
                self.line.appendleft(request)
                break
            else:
                self._end(request, budget.refused(request))
        return batch

    def _is_answered(self, request: ChatRequest, outcome: Outcome) -> bool:
        """Return whether a request is answered, which is told as `outcome`; what follows from it is put in line."""
        exchange = self.store.find_own(request.key)
        if exchange is not None:
            self._answered(request, exchange, outcome)
        return exchange is not None

    def _answered(self, request: ChatRequest, exchange: Exchange, outcome: Outcome) -> None:
        self.on_outcome(request, outcome)
        self.line.extend(self.follow(request, exchange))

    def _look(self, batch: Mapping[str, ChatRequest], failures: Mapping[str, str]) -> None:
        """Have tried again what came back without an answer."""
        for key, request in batch.items():
            if self._is_answered(request, STORED):
                continue
            self.tries[key] += 1
            if self.tries[key] < self.limits.max_attempts:
                self.line.append(request)
                continue
            said = failures.get(key) or failures.get("") or "no answer came with the batch"
            refused = said.startswith(("HTTP 400", "HTTP 413", "HTTP 422"))
            reason = f"{said}, {self.tries[key]} attempts"
            self._end(request, Outcome(ending="refused" if refused else "failed", reason=reason))

    def _end(self, request: ChatRequest, outcome: Outcome) -> None:
        self.unanswered[request.key] = outcome
        self.on_outcome(request, outcome)


def _line(request: ChatRequest) -> bytes:
    """Return the line of a request in the file of a batch."""
    line = {"custom_id": request.key, "method": "POST", "url": "/v1/chat/completions"}
    return json.dumps(line)[:-1].encode() + b', "body": ' + request.body() + b"}\n"
