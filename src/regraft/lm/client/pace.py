"""How many requests are in flight, and when the next may go: as many as an endpoint bears, no faster than it allows."""

import asyncio
import contextlib
import logging
import time

from regraft.lm.client.chat import ChatRequest, Usage
from regraft.lm.client.limits import Limits

_LOG = logging.getLogger(__name__)
FIRST = 64
"""Requests in flight to begin with, if so many are allowed. Not in the paper, as all of this."""
CUT, SUCCESSES = 0.75, 25
"""What remains of the number in flight when the endpoint is overloaded; answers after which it is one more from
then on. Before that each answer makes it one more: it doubles in the time of an answer, until it is what is allowed."""
NEWS_S = 10.0
"""A wait longer than this is worth a line in the log."""
BURST_S = 1.0
"""Seconds of a rate that may be used at once."""


class Change:
    """Something that is waited for has changed: whoever waits looks again."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def tell(self) -> None:
        """Wake all that wait."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, seconds: float | None = None) -> None:
        """Return at the next change, or after so many seconds."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(future, seconds)


class Rate:
    """So much a minute, evenly, but for what a second brings; 0 is no limit."""

    def __init__(self, per_minute: float) -> None:
        self._each, self._next = 60 / per_minute if per_minute else 0.0, 0.0

    def wait_s(self, now: float) -> float:
        """Return the seconds until more may be taken."""
        return max(0.0, self._next - BURST_S - now)

    def take(self, amount: float, now: float) -> None:
        """Count what is taken; less than nothing gives back."""
        self._next = max(self._next, now) + amount * self._each


class Pace:
    """Lets requests enter: slow start, then additive increase and multiplicative decrease."""

    def __init__(self, limits: Limits, change: Change) -> None:
        self._cap, self._max_wait_s, self._change = limits.concurrency, limits.max_retry_after_s, change
        self.allowed, self.in_flight, self.closed = float(min(FIRST, limits.concurrency)), 0, False
        self._successes, self._cut_at, self._not_before = 0, 0.0, 0.0
        self._requests, self._tokens = Rate(limits.requests_per_minute), Rate(limits.tokens_per_minute)

    async def enter(self) -> bool:
        """Return once one more request may be in flight, which then counts; False when none may any more."""
        while not self.closed and ((full := self.in_flight >= int(self.allowed)) or self.wait_s):
            await self._change.wait(None if full else self.wait_s)
        if not self.closed:
            self.in_flight += 1
        return not self.closed

    def leave(self) -> None:
        """Count a request as no longer in flight."""
        self.in_flight -= 1
        self._change.tell()

    def close(self) -> None:
        """Let no more requests enter."""
        self.closed = True
        self._change.tell()

    @property
    def wait_s(self) -> float:
        """Seconds until the endpoint and the rates let something be sent."""
        now = time.monotonic()
        return max(0.0, self._not_before - now, self._requests.wait_s(now), self._tokens.wait_s(now))

    def sends(self, request: ChatRequest) -> None:
        """Count a request for the rates."""
        now = time.monotonic()
        self._requests.take(1, now)
        self._tokens.take(request.likely_tokens, now)

    def succeeded(self, request: ChatRequest, usage: Usage) -> None:
        """Correct the rates by what an answer took; let one more enter after enough of them."""
        self._tokens.take(usage.tokens - request.likely_tokens, time.monotonic())
        self._successes += 1
        if self._successes >= (SUCCESSES if self._cut_at else 1) and self.allowed < self._cap:
            self.allowed, self._successes = min(self._cap, self.allowed + 1), 0

    def heed(self, overloaded: bool, wait_s: float, sent_at: float) -> None:
        """Do as a failed attempt, sent at `sent_at`, says: let fewer enter, and nobody for some seconds.

        Those that were in flight together are one sign of overload, not many.
        """
        if overloaded and sent_at >= self._cut_at:
            self.allowed, self._successes, self._cut_at = max(1.0, self.allowed * CUT), 0, time.monotonic()
        if wait_s > NEWS_S:
            _LOG.warning("the endpoint asks to be left alone for %.0f s", wait_s)
        self._not_before = max(self._not_before, time.monotonic() + min(wait_s, self._max_wait_s))
