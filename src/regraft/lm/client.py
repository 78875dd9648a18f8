"""Ask an OpenAI-compatible endpoint: a rolling pool of workers, retries, a token budget, every answer stored first.

A worker that is free takes the next request, so no batch waits for its slowest member. An answer counts once its row
is committed. Afterwards `ResponseStore` is read as plain rows: parsing is nobody's business here.
"""

import asyncio
import contextlib
import random
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from regraft.core import ConfigError
from regraft.lm.chat import ChatRequest
from regraft.lm.endpoint import Endpoint, Failure, attempt
from regraft.lm.responses import Exchange, ResponseStore

if TYPE_CHECKING:
    import aiohttp

Ending = Literal["stored", "refused", "failed", "budget", "stopped", "interrupted"]
CONNECT_S = 30.0
"""At most so long for a connection. Until there is one, nothing is charged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How hard and how long to ask. Of all this only `budget_tokens` is meant to change what comes back."""

    concurrency: int = 16
    budget_tokens: int = 10_000_000
    """Prompt and answer tokens over the life of the store: never more, failed attempts included.

    It rests on `ChatRequest.most_tokens`: an endpoint that charges an attempt more exceeds the budget by that. What was
    in flight when this process was killed is unknown to the store and not counted.
    """
    max_attempts: int = 6
    timeout_s: float = 600.0
    """Of one attempt, whole answer included."""
    first_backoff_s: float = 0.5
    max_backoff_s: float = 60.0
    max_failure_share: float = 0.5
    """Of the last `failure_window` requests; a larger share stops the run."""
    failure_window: int = 10
    max_answer_bytes: int = 4_000_000

    def __post_init__(self) -> None:
        for name in ("concurrency", "budget_tokens", "max_attempts", "failure_window", "max_answer_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"limits.{name} is {getattr(self, name)}; it must be at least 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a request."""

    ending: Ending
    """`refused`: this request, for good. `failed`: because of the endpoint, so that it may be answered another time.
    Not sent or given up: `budget` (spent), `stopped` (too many failures, or one that all share), `interrupted`."""
    reason: str = ""


def _ignore(request: ChatRequest, outcome: Outcome) -> None:
    pass


def generate(
    requests: Iterable[ChatRequest],
    endpoint: Endpoint,
    store: ResponseStore,
    limits: Limits,
    on_outcome: Callable[[ChatRequest, Outcome], None] = _ignore,
) -> dict[str, Outcome]:
    """Have every request answered that has no answer in `store`; say of each, by its key, what became of it.

    Requests are admitted in their order. One is sent only if its upper bound fits in what is left of the budget once
    all before it are settled; the first that does not fit ends admission, so the cut does not depend on timing. A
    retry is sent only if it still fits beside all that is in flight; so after failed attempts that cost tokens, and
    only then, the cut may differ. SIGINT and SIGTERM end admission too; what is in flight is awaited and stored, what
    waits to be sent is given up.

    Raises:
        KeyboardInterrupt: after such a drain.
        ConfigError: the API key's variable is not set.
    """
    pool = _Pool(endpoint, store, limits, on_outcome)
    try:
        asyncio.run(pool.run(list(requests)))
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
    if pool.interrupted:
        raise KeyboardInterrupt("Generation was interrupted. Every answer is stored; run again to go on.")
    return pool.outcomes


class _Pool:
    """The workers of one call of `generate` and what they share."""

    def __init__(
        self,
        endpoint: Endpoint,
        store: ResponseStore,
        limits: Limits,
        on_outcome: Callable[[ChatRequest, Outcome], None],
    ) -> None:
        self.endpoint, self.store, self.limits, self.on_outcome = endpoint, store, limits, on_outcome
        self.headers = endpoint.headers()
        self.outcomes: dict[str, Outcome] = {}
        self.interrupted = False
        self.rest: Outcome | None = None  # once nothing more is admitted: what becomes of the requests left
        self.recent: deque[bool] = deque(maxlen=limits.failure_window)  # did it fail?
        self.not_before = 0.0  # monotonic seconds; the endpoint asked everybody to wait until then
        self.spent, self.reserved = store.spent_tokens(), 0
        self.halted, self.admission, self.settled = asyncio.Event(), asyncio.Lock(), asyncio.Condition()
        self.unsaved: asyncio.Queue[tuple[Exchange, asyncio.Future[None]]] = asyncio.Queue()

    async def run(self, requests: list[ChatRequest]) -> None:
        import aiohttp

        self.queue = self._unanswered(requests)
        timeout = aiohttp.ClientTimeout(total=self.limits.timeout_s, sock_connect=CONNECT_S)
        connector = aiohttp.TCPConnector(limit=self.limits.concurrency)
        with _draining(self._interrupt):
            writer = asyncio.create_task(self._write())
            async with aiohttp.ClientSession(headers=self.headers, timeout=timeout, connector=connector) as session:
                urls = self.endpoint.base_urls
                async with asyncio.TaskGroup() as group:
                    for n in range(self.limits.concurrency):
                        group.create_task(self._work(session, urls[n % len(urls)]))
            writer.cancel()
        for request in self.queue:
            self._end(request, self.rest or Outcome(ending="stopped"))

    def _unanswered(self, requests: list[ChatRequest]) -> Iterator[ChatRequest]:
        answered, seen = self.store.answered(), set[str]()
        for request in requests:
            if request.key in seen:
                continue
            seen.add(request.key)
            if request.key in answered:
                self._end(request, Outcome(ending="stored"))
            else:
                yield request

    async def _work(self, session: "aiohttp.ClientSession", url: str) -> None:
        while (request := await self._admit()) is not None:
            outcome = await self._ask(session, url, request)
            self.reserved -= request.most_tokens  # at once, so that nobody sees it both spent and reserved
            async with self.settled:
                self.settled.notify_all()
            self._end(request, outcome)
            self._watch(outcome)

    async def _admit(self) -> ChatRequest | None:
        """Return the next request, its tokens reserved; None when no more are to be sent."""
        async with self.admission:
            request = None if self.rest else next(self.queue, None)
            if request is None:
                return None
            async with self.settled:
                await self.settled.wait_for(lambda: self._fits(request) or self.reserved == 0)
            if not self._fits(request):
                self._halt(self._too_dear(request))
            if self.rest:
                self._end(request, self.rest)
                return None
            self.reserved += request.most_tokens
            return request

    def _fits(self, request: ChatRequest) -> bool:
        return self.spent + self.reserved + request.most_tokens <= self.limits.budget_tokens

    def _too_dear(self, request: ChatRequest) -> Outcome:
        spent = f"{self.spent:,} of {self.limits.budget_tokens:,} tokens are spent"
        return Outcome(ending="budget", reason=f"{spent}; this may take {request.most_tokens:,}")

    async def _ask(self, session: "aiohttp.ClientSession", url: str, request: ChatRequest) -> Outcome:
        """Send a request until it is answered and the answer stored, or no further attempt is to be made."""
        failure = Failure(reason="", may_pass=True)
        for number in range(self.limits.max_attempts):
            await self._wait(number)
            if self.halted.is_set():
                return Outcome(ending="interrupted" if self.interrupted else "stopped", reason=failure.reason)
            if self.spent + self.reserved > self.limits.budget_tokens:  # failed attempts were charged
                self._halt(self._too_dear(request))
                return self._too_dear(request)
            result = await attempt(session, url, request, self.limits.max_answer_bytes)
            if isinstance(result, Exchange):
                await self._save(result)
                return Outcome(ending="stored")
            if result.exchange is not None:
                await self._save(result.exchange)
            failure = result
            if not failure.may_pass:
                return self._final(failure)
            self._heed(failure)
        times = f"{failure.reason}, {self.limits.max_attempts} attempts"
        return Outcome(ending="refused" if failure.of_request else "failed", reason=times)

    def _final(self, failure: Failure) -> Outcome:
        """Halt when the endpoint would say the same to everybody."""
        if failure.of_request:
            return Outcome(ending="refused", reason=failure.reason)
        self._halt(Outcome(ending="stopped", reason=failure.reason))
        return Outcome(ending="failed", reason=failure.reason)

    def _heed(self, failure: Failure) -> None:
        """Let everybody wait as long as the endpoint asked for, within our bound."""
        until = time.monotonic() + min(failure.wait_s, self.limits.max_backoff_s)
        self.not_before = max(self.not_before, until)

    async def _wait(self, number: int) -> None:
        """Wait before attempt `number`, full jitter below a doubling bound, or until the run is halted."""
        bound = min(self.limits.max_backoff_s, self.limits.first_backoff_s * 2 ** (number - 1)) if number else 0.0
        wait = max(random.uniform(0, bound), self.not_before - time.monotonic())
        if wait > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.halted.wait(), wait)

    async def _save(self, exchange: Exchange) -> None:
        """Return once the exchange is committed and counted."""
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self.unsaved.put((exchange, committed))
        await committed
        self.spent += exchange.prompt_tokens + exchange.completion_tokens

    async def _write(self) -> None:
        """Commit what waits to be saved, all of it at once, off the event loop."""
        while True:
            group = [await self.unsaved.get()]
            while not self.unsaved.empty():
                group.append(self.unsaved.get_nowait())
            try:
                await asyncio.to_thread(self.store.add, [exchange for exchange, _ in group])
            except Exception as error:  # a full disk, for example: whoever waits must hear of it
                for _, committed in group:
                    committed.set_exception(error)
            else:
                for _, committed in group:
                    committed.set_result(None)

    def _watch(self, outcome: Outcome) -> None:
        """Halt when too many of the last requests failed."""
        self.recent.append(outcome.ending in ("failed", "refused"))
        failures = sum(self.recent)
        if len(self.recent) == self.recent.maxlen and failures > self.limits.max_failure_share * len(self.recent):
            reason = f"{failures} of the last {len(self.recent)} requests failed, the last one with: {outcome.reason}"
            self._halt(Outcome(ending="stopped", reason=reason))

    def _interrupt(self) -> None:
        self.interrupted = True
        self._halt(Outcome(ending="interrupted"))

    def _halt(self, rest: Outcome) -> None:
        self.rest = self.rest or rest
        if rest.ending != "budget":  # what was admitted within the budget may be retried
            self.halted.set()

    def _end(self, request: ChatRequest, outcome: Outcome) -> None:
        self.outcomes[request.key] = outcome
        self.on_outcome(request, outcome)


@contextlib.contextmanager
def _draining(interrupt: Callable[[], None]) -> Generator[None]:
    """Let the first SIGINT or SIGTERM call `interrupt`; a second acts as ever. Signals only reach the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)

    def first() -> None:
        restore()
        interrupt()

    for number in before:
        loop.add_signal_handler(number, first)
    try:
        yield
    finally:
        restore()
