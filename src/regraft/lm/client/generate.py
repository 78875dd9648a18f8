"""Ask an OpenAI-compatible endpoint: a rolling pool, retries, a budget, every answer stored before anything reads it.

What is free takes the next request, so no batch waits for its slowest member; what follows from an answer (a judgement,
a repair) is asked as soon as the answer is stored, so no stage waits for the one before. An answer counts once its row
is committed. Afterwards `ResponseStore` is read as plain rows: parsing is nobody's business here.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from regraft.core import Interrupted, RegraftError
from regraft.lm.client.budget import Budget
from regraft.lm.client.chat import ChatRequest
from regraft.lm.client.drain import draining
from regraft.lm.client.early_stop import EarlyStop
from regraft.lm.client.endpoint import Endpoint, Failure, attempt
from regraft.lm.client.limits import Limits, Outcome
from regraft.lm.client.pace import Change, Pace
from regraft.lm.client.responses import Exchange, ResponseStore
from regraft.lm.client.routes import Routes
from regraft.lm.client.saving import Saver

CONNECT_S = 30.0
"""At most so long for a connection. Until there is one, nothing is charged."""
IDLE_S = 4.0
"""A connection is used again within so long: many servers close it after 5 s, and what is sent then is lost."""
SPREAD = 0.25
"""Part of a wait that all share, by which each waits longer."""
_LOG = logging.getLogger(__name__)
STORED = Outcome(ending="stored")
KNOWN = Outcome(ending="stored", reason="by an earlier run")
OnOutcome = Callable[[ChatRequest, Outcome], None]
Follow = Callable[[ChatRequest, Exchange], Iterable[ChatRequest]]
"""Returns what is to be asked once a request is answered."""


def ignore(request: ChatRequest, outcome: Outcome) -> None:
    """Keep no outcome."""


def nothing(request: ChatRequest, exchange: Exchange) -> Iterable[ChatRequest]:
    """Let nothing follow from an answer."""
    return ()


def generate(
    requests: Iterable[ChatRequest],
    endpoint: Endpoint,
    store: ResponseStore,
    limits: Limits,
    on_outcome: OnOutcome = ignore,
    follow: Follow = nothing,
) -> dict[str, Outcome]:
    """Have every request answered that has no answer in `store`; say of those without one, by key, what became of them.

    Requests are read as there is room for them, and admitted in their order, what follows from answers first. One is
    sent only if its upper bound fits in what is left of the budget once all before it are settled; the first that does
    not fit ends admission, so the cut does not depend on timing. A retry is sent only if it still fits beside all that
    is in flight; so after failed attempts that cost tokens, and where requests follow from others, and only then, the
    cut may differ. SIGINT and SIGTERM end admission too; what is in flight is awaited and stored, what waits to be sent
    is given up. Memory is that of what is in flight and of what has no answer.

    Args:
        requests: none twice.
        endpoint: where to send them.
        store: of answers, and of what they cost.
        limits: how hard and for how much to ask.
        on_outcome: told of every request what became of it, as soon as that is known.
        follow: what is to be asked once a request is answered, from this run or from an earlier one.

    Raises:
        Interrupted: after such a drain.
        ConfigError: the API key's variable is not set.
        RegraftError: answers were paid for that are not in the store.
    """
    import uvloop

    pool = _Pool(endpoint, store, limits, on_outcome, follow)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(pool.run(iter(requests)))
    if pool.interrupted:
        raise Interrupted("generation was interrupted, every answer is stored")
    return pool.unanswered


class _Pool:
    """The requests in flight of one call of `generate`, and what they share."""

    def __init__(
        self,
        endpoint: Endpoint,
        store: ResponseStore,
        limits: Limits,
        on_outcome: OnOutcome,
        follow: Follow,
    ) -> None:
        self.store, self.limits, self.on_outcome, self.follow = store, limits, on_outcome, follow
        self.headers, self.routes = endpoint.headers(), Routes(endpoint.base_urls)
        self.unanswered: dict[str, Outcome] = {}
        self.interrupted = False
        self.error: Exception | None = None
        self.num_paid = 0
        self.num_before = store.num_answers()
        self.rest: Outcome | None = None  # once nothing more is admitted: what becomes of the requests left
        self.early_stop = EarlyStop(limits)
        self.following: deque[ChatRequest] = deque()
        self.in_flight: set[str] = set()
        self.change, self.halted = Change(), asyncio.Event()
        self.pace, self.saver = Pace(limits, self.change), Saver(store)
        store.charge_lost()
        self.budget = Budget(limits, store.spent())

    async def run(self, requests: Iterator[ChatRequest]) -> None:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=self.limits.timeout_s, sock_connect=CONNECT_S)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S)
        with draining(self._interrupt):
            async with (
                aiohttp.ClientSession(headers=self.headers, timeout=timeout, connector=connector) as self.session,
                asyncio.TaskGroup() as group,
            ):
                while await self.pace.enter():
                    try:
                        request = await self._next(requests)
                    except Exception as error:  # in reading a request, or in what follows from a stored answer
                        request = self._fail(error)
                    if request is None:
                        break
                    group.create_task(self._serve(request))
        if self.error:
            raise self.error
        while request := self._another(requests):  # some may have an answer of an earlier run
            if not self._is_known(request):  # nor is what others bought: with an empty cache it would not be sent
                self._end(request, self.rest or Outcome(ending="stopped"))
        self._check(self.store.num_answers() - self.num_before)

    async def _next(self, requests: Iterator[ChatRequest]) -> ChatRequest | None:
        """Return a request that is to be sent, its most reserved; None when there is none and none will come."""
        while not self.rest:
            request = self._another(requests)
            if request is None and not self.in_flight:
                return None
            if request is None:
                await self.change.wait()
            elif self._is_known(request):
                continue
            elif (lent := self.store.find_lent(request.key)) is None:
                return request if await self._admit(request) else None
            elif await self._has_room(request, self.budget.fits_lent):
                self.budget.lend(lent.usage)
                self._answered(request, lent, KNOWN)
        return None

    def _another(self, requests: Iterator[ChatRequest]) -> ChatRequest | None:
        """Return the next request, what follows from answers first; None when there is none now."""
        return self.following.popleft() if self.following else next(requests, None)

    def _is_known(self, request: ChatRequest) -> bool:
        """Return whether a request needs no sending; what follows from it is put in line."""
        if request.key in self.in_flight or request.key in self.unanswered:
            return True
        exchange = self.store.find_own(request.key)
        if exchange:
            self._answered(request, exchange, KNOWN)
        return exchange is not None

    async def _admit(self, request: ChatRequest) -> bool:
        """Return True once a request fits into the budget and may be sent; it is ended where that cannot be."""
        if not await self._has_room(request, self.budget.fits):
            return False
        self.budget.reserve(request)
        self.in_flight.add(request.key)
        return True

    async def _has_room(self, request: ChatRequest, fits: Callable[[ChatRequest], bool]) -> bool:
        """Return True once a request fits, perhaps after others are settled; it is ended where that cannot be."""
        while not fits(request) and self.in_flight:
            await self.change.wait()
        if not fits(request):
            self._halt(self.budget.refused(request))
        if self.rest:
            self._end(request, self.rest)
        return not self.rest

    async def _serve(self, request: ChatRequest) -> None:
        """See a request in flight to its end. An error here lets the others be finished and stored."""
        try:
            outcome = await self._ask(request)
            if outcome.ending != "stored":
                await self.saver.given_up(request)
                self._end(request, outcome)
            self._watch(outcome)
        except Exception as error:
            self._fail(error)
        finally:
            self.budget.release(request)
            self.in_flight.discard(request.key)
            self.pace.leave()

    async def _ask(self, request: ChatRequest) -> Outcome:
        """Send a request until it is answered and the answer stored, or no further attempt is to be made."""
        failure = Failure(reason="", may_pass=True)
        await self.saver.sent(request)
        for number in range(self.limits.max_attempts):
            await self._wait(number)
            if self.halted.is_set():
                return Outcome(ending="interrupted" if self.interrupted else "stopped", reason=failure.reason)
            if self.budget.overdrawn:
                self._halt(outcome := self.budget.refused(request))
                return outcome
            result = await self._attempt(request)
            if isinstance(result, Exchange):
                await self._store(request, result)
                return STORED
            failure = result
            if failure.exchange is not None:
                await self.saver.failure(failure.exchange)
                self.budget.pay(failure.exchange.usage)
            if not failure.may_pass:
                return self._final(failure)
        times = f"{failure.reason}, {self.limits.max_attempts} attempts"
        return Outcome(ending="refused" if failure.of_request else "failed", reason=times)

    async def _attempt(self, request: ChatRequest) -> Exchange | Failure:
        """Send a request once."""
        url, sent_at = self.routes.take(), time.monotonic()
        self.pace.sends(request)
        works = False
        try:
            result = await attempt(self.session, url, request, self.limits.max_answer_bytes)
            works = isinstance(result, Exchange) or result.of_request
        finally:
            self.routes.give(url, works)
        if isinstance(result, Failure):
            self.pace.heed(result.overloaded, result.wait_s, sent_at)
        return result

    async def _wait(self, number: int) -> None:
        """Wait before attempt `number`, full jitter below a doubling bound, or until the run is halted.

        Then until the endpoint and the rates let it be sent, which others that waited have done first, perhaps; not all
        at the same moment.
        """
        bound = min(self.limits.max_backoff_s, self.limits.first_backoff_s * 2 ** (number - 1)) if number else 0.0
        wait = random.uniform(0, bound)
        while not self.halted.is_set() and (wait or self.pace.wait_s):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.halted.wait(), max(wait, self.pace.wait_s * random.uniform(1, 1 + SPREAD)))
            wait = 0.0

    async def _store(self, request: ChatRequest, exchange: Exchange) -> None:
        """Return once an answer is committed and counted, and what follows from it is in line."""
        self.num_paid += 1
        await self.saver.answer(exchange)
        self.budget.pay(exchange.usage)
        self.pace.succeeded(request, exchange.usage)
        self._answered(request, exchange, STORED)

    def _answered(self, request: ChatRequest, exchange: Exchange, outcome: Outcome) -> None:
        self.on_outcome(request, outcome)
        self.following.extend(self.follow(request, exchange))

    def _final(self, failure: Failure) -> Outcome:
        """Halt when the endpoint would say the same to everybody."""
        if failure.of_request:
            return Outcome(ending="refused", reason=failure.reason)
        self._halt(outcome := Outcome(ending="stopped", reason=failure.reason))
        return outcome

    def _watch(self, outcome: Outcome) -> None:
        """Halt when too much failed or was refused."""
        others = self.num_before + self.num_paid + len(self.in_flight)
        if reason := self.early_stop.reason(outcome, others):
            self._halt(Outcome(ending="stopped", reason=reason))

    def _fail(self, error: Exception) -> None:
        """Halt, and raise the first error once what is in flight is stored."""
        self.error = self.error or error
        self._halt(Outcome(ending="stopped", reason=str(error)))

    def _interrupt(self) -> None:
        if not self.interrupted:
            _LOG.warning("interrupted; waits for %d requests in flight, which are paid for", len(self.in_flight))
        self.interrupted = True
        self._halt(Outcome(ending="interrupted"))

    def _halt(self, rest: Outcome) -> None:
        self.rest = self.rest or rest
        if rest.ending != "budget":  # what was admitted within the budget may be retried
            self.halted.set()
            self.pace.close()

    def _end(self, request: ChatRequest, outcome: Outcome) -> None:
        if request.key not in self.unanswered:
            self.unanswered[request.key] = outcome
            self.on_outcome(request, outcome)

    def _check(self, num_stored: int) -> None:
        """Let nothing that was paid for be lost without a word."""
        if num_stored < self.num_paid:
            raise RegraftError(
                f"{self.num_paid} answers were paid for, and {num_stored} of them are in the store. Another process "
                "may write to it: let one at a time use a scratch folder."
            )
