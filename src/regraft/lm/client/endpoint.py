"""One attempt at one request over HTTP: what to send where, and what came of it."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from regraft.core import ConfigError
from regraft.lm.client.chat import ChatRequest, parse_answer, parse_error, parse_usage
from regraft.lm.client.responses import Exchange

if TYPE_CHECKING:
    import aiohttp

_PASSING = frozenset({408, 409, 425, 429})
"""Statuses that may pass, besides those from 500 on; every other one but 200 is final."""
_NEVER = frozenset({501, 505})
"""Of those from 500 on: what is asked does not speak this protocol."""
_OVERLOADED = frozenset({429, 503, 529})
_REFUSALS = frozenset({400, 413, 422})
"""Final statuses that say something about one request; any other says that the endpoint answers nobody."""
_EXCERPT = 200
"""Characters of a body that an error quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where requests go: means, never identity."""

    base_urls: tuple[str, ...]
    """One or more servers of the same model, each up to and including `/v1`; a request goes to the one with the fewest
    in flight."""
    key_variable: str = ""
    """Name of the environment variable that holds the API key; empty for none. The key itself is kept nowhere."""

    def __post_init__(self) -> None:
        if not self.base_urls:
            raise ConfigError("An endpoint needs at least one base URL.")
        for url in self.base_urls:
            _check(url)

    def headers(self) -> dict[str, str]:
        """Return the headers of a request.

        Raises:
            ConfigError: the variable is named, but not set, or holds what is no key.
        """
        headers = {"Content-Type": "application/json"}
        if self.key_variable:
            key = os.environ.get(self.key_variable, "")
            if not key:
                raise ConfigError(f"The environment variable {self.key_variable} is to hold an API key; it is not set.")
            if not key.isascii() or not key.isprintable() or " " in key:
                raise ConfigError(
                    f"The environment variable {self.key_variable} holds white space or other signs that are in no API "
                    "key; a line break at its end, perhaps."
                )
            headers["Authorization"] = f"Bearer {key}"
        return headers


def _check(url: str) -> None:
    """Refuse a URL that cannot be asked, or that holds a secret: URLs are logged and kept in manifests."""
    if any(mark in url for mark in "@?#"):
        raise ConfigError(  # which must not quote it
            "The URL of an endpoint must have no user, password, query or fragment, for it is logged. "
            "Put the API key into the environment variable REGRAFT_API_KEY."
        )
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(f"The endpoint {url!r} is no URL of a server; write it like http://127.0.0.1:8000/v1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt brought no answer."""

    reason: str
    may_pass: bool
    """Whether another attempt may help."""
    of_request: bool = False
    """Whether it says something about this request alone, and nothing about the endpoint."""
    overloaded: bool = False
    """Whether fewer requests at once may help: it said so, or did not answer in time."""
    wait_s: float = 0.0
    """What the endpoint asked everybody to wait (`Retry-After`)."""
    exchange: Exchange | None = None
    """What is no answer, but may have cost tokens."""


async def attempt(
    session: "aiohttp.ClientSession", url: str, request: ChatRequest, max_bytes: int
) -> Exchange | Failure:
    """Send a request once. An exchange that is returned holds an answer; nothing is raised for what a server does.

    What may have cost tokens although no answer came is an exchange of the failure, charged its upper bound where the
    endpoint does not tell: a bad or over-long answer, a timeout, a connection that broke. A refusal costs nothing.
    """
    import aiohttp

    try:
        async with session.post(f"{url.rstrip('/')}/chat/completions", data=request.body()) as response:
            body = await _read(response, max_bytes)
            status, retry_after = response.status, response.headers.get("Retry-After", "")
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        return Failure(reason=str(error), may_pass=True)
    except (TimeoutError, aiohttp.ClientError) as error:
        late = isinstance(error, TimeoutError)
        reason = "timeout" if late else type(error).__name__
        return Failure(reason=reason, may_pass=True, overloaded=late, exchange=_exchange(request, 0, b"", reason))
    if status != 200:
        return _refusal(status, quoted(body or b"", session.headers), retry_after)
    if body is None:
        reason = f"the answer is longer than {max_bytes:,} bytes"
        return Failure(reason=reason, may_pass=False, of_request=True, exchange=_exchange(request, status, b"", reason))
    answer = parse_answer(body)
    if isinstance(answer, str) and (code := parse_error(body)):  # routers say so within a body that is well
        return _refusal(code, quoted(body, session.headers), retry_after)
    if isinstance(answer, str):
        return Failure(reason=answer, may_pass=True, of_request=True, exchange=_exchange(request, status, body, answer))
    return _exchange(request, status, body)


def _refusal(status: int, said: str, retry_after: str) -> Failure:
    return Failure(
        reason=f"HTTP {status}: {said}" if said else f"HTTP {status}",
        may_pass=(status >= 500 and status not in _NEVER) or status in _PASSING,
        of_request=status in _REFUSALS,
        overloaded=status in _OVERLOADED,
        wait_s=seconds_of(retry_after),
    )


def quoted(body: bytes, headers: Mapping[str, str]) -> str:
    """Return the beginning of an error in one line, without the API key of the headers, which some servers repeat."""
    said = " ".join(body.decode("utf-8", "replace").split())
    key = headers.get("Authorization", "").removeprefix("Bearer ")
    return (said.replace(key, "***") if key else said)[:_EXCERPT]


def _exchange(request: ChatRequest, status: int, body: bytes, failure: str = "") -> Exchange:
    usage = parse_usage(body)
    charged = usage or request.most
    return Exchange(
        key=request.key,
        model=request.model,
        request=request.body(),
        response=body,
        status=status,
        failure=failure,
        prompt_tokens=charged.prompt_tokens,
        completion_tokens=charged.completion_tokens,
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


def seconds_of(retry_after: str) -> float:
    """Return the seconds that a `Retry-After` header asks for, a number or a date; 0 when it is neither."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0
