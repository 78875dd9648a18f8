"""One attempt at one request over HTTP: what to send where, and what came of it."""

import os
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from regraft.core import ConfigError
from regraft.lm.chat import ChatRequest, parse_answer, parse_usage
from regraft.lm.responses import Exchange

if TYPE_CHECKING:
    import aiohttp

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 529})
"""Statuses that may pass; every other one but 200 is final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where requests go: means, never identity."""

    base_urls: tuple[str, ...]
    """One or more servers of the same model, each up to and including `/v1`; workers are dealt to them in turn."""
    key_variable: str = ""
    """Name of the environment variable that holds the API key; empty for none. The key itself is kept nowhere."""

    def headers(self) -> dict[str, str]:
        """Return the headers of a request.

        Raises:
            ConfigError: the variable is named, but not set.
        """
        headers = {"Content-Type": "application/json"}
        if self.key_variable:
            key = os.environ.get(self.key_variable, "")
            if not key:
                raise ConfigError(f"The environment variable {self.key_variable} is to hold an API key; it is not set.")
            headers["Authorization"] = f"Bearer {key}"
        return headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt brought no answer."""

    reason: str
    may_pass: bool
    """Whether another attempt may help."""
    wait_s: float = 0.0
    """What the endpoint asked everybody to wait (`Retry-After`)."""
    exchange: Exchange | None = None
    """A body that is no answer, but may have cost tokens."""


async def attempt(
    session: "aiohttp.ClientSession", url: str, request: ChatRequest, max_bytes: int
) -> Exchange | Failure:
    """Send a request once. An exchange that is returned holds an answer; nothing is raised for what a server does."""
    import aiohttp

    try:
        async with session.post(f"{url.rstrip('/')}/chat/completions", data=request.body()) as response:
            body = await _read(response, max_bytes)
            status, retry_after = response.status, response.headers.get("Retry-After", "")
    except TimeoutError:
        return Failure(reason="timeout", may_pass=True)
    except aiohttp.ClientError as error:
        return Failure(reason=type(error).__name__, may_pass=True)
    if status != 200:
        return Failure(reason=f"HTTP {status}", may_pass=status in RETRIED, wait_s=_seconds(retry_after))
    if body is None:
        return Failure(reason=f"the answer is longer than {max_bytes:,} bytes", may_pass=False)
    exchange = _exchange(request, body)
    if exchange.failure:
        return Failure(reason=exchange.failure, may_pass=True, exchange=exchange)
    return exchange


def _exchange(request: ChatRequest, body: bytes) -> Exchange:
    answer, usage = parse_answer(body), parse_usage(body)
    failure = answer if isinstance(answer, str) else ""
    # Without a meter an answer is charged its upper bound, and a body that is no answer nothing.
    bound = (0, 0) if failure else (request.most_tokens - request.max_tokens, request.max_tokens)
    prompt_tokens, completion_tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else bound
    return Exchange(
        key=request.key,
        model=request.model,
        request=request.body(),
        response=body,
        status=200,
        failure=failure,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        metered=usage is not None,
    )


async def _read(response: "aiohttp.ClientResponse", max_bytes: int) -> bytes | None:
    """Return the body, None when it is longer than is allowed."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            return None
    return bytes(body)


def _seconds(retry_after: str) -> float:
    """Return the seconds that a `Retry-After` header asks for, a number or a date; 0 when it is neither."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0
