"""How a provider is spoken to over HTTP: JSON and lines, patience, and no word of the key in an error."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from regraft.core import RegraftError
from regraft.lm.client.endpoint import Endpoint, quoted, seconds_of
from regraft.lm.client.limits import Limits

if TYPE_CHECKING:
    import aiohttp

More = Callable[[], dict[str, Any]]
"""Makes anew what else is to be sent with a request."""
_CHUNK = 1 << 16
_LOG = logging.getLogger(__name__)


class Unclear(RegraftError):
    """A request failed in a way that leaves open what the provider made of it."""


class ProviderHttp:
    """A connection to a provider."""

    def __init__(self, endpoint: Endpoint, limits: Limits) -> None:
        headers = endpoint.headers()
        self._headers = {name: headers[name] for name in headers if name != "Content-Type"}
        self._url, self._limits = endpoint.base_urls[0].rstrip("/"), limits

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Self]:
        """Be connected for as long as the block lasts."""
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=self._limits.timeout_s)
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as self._session:
            yield self

    def quoted(self, said: bytes) -> str:
        """Return the beginning of what the provider said, without the key."""
        return quoted(said, self._headers)

    async def delete(self, path: str) -> None:
        """Have the provider delete something, if it lets us."""
        import aiohttp

        try:
            async with self._session.delete(self._url + path):
                pass
        except (TimeoutError, aiohttp.ClientError) as error:
            _LOG.info("%s stays with the provider: %s", path, error)

    async def lines(self, path: str, attempts: int) -> AsyncIterator[bytes]:
        """Yield the lines of a file, without those that are longer than an answer may be.

        Raises:
            RegraftError: the provider refuses, cannot be reached or breaks off in the middle.
        """
        import aiohttp

        async with self._answer("GET", path, dict, attempts, whole=False) as response:
            rest, too_long = b"", False
            try:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        if not too_long:
                            yield line
                        too_long = False
                    if len(rest) > self._limits.max_answer_bytes:
                        rest, too_long = b"", True
            except (TimeoutError, aiohttp.ClientError) as error:
                said = f"{self._place(path)} broke off: {type(error).__name__}: {error}"
                raise RegraftError(f"{said}. The same command goes on with the rest.") from error
            if not too_long:
                yield rest

    async def json(self, method: str, path: str, more: More = dict, attempts: int = 0) -> dict[str, Any]:
        """Return the JSON object in the answer to a request.

        Args:
            method: of HTTP.
            path: behind the base URL.
            more: what else is sent.
            attempts: 0 for as many as the limits have.

        Raises:
            RegraftError: the provider refuses, cannot be reached (`Unclear`) or answers with something else.
        """
        async with self._answer(method, path, more, attempts or self._limits.max_attempts, whole=True) as response:
            body = await response.read()
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise RegraftError(
                f"{method} {self._place(path)} answered with no JSON object: {self.quoted(body)}. Is this "
                "the base URL of a provider with a batch API?"
            )
        return found

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, more: More, attempts: int, *, whole: bool
    ) -> "AsyncGenerator[aiohttp.ClientResponse]":
        """Yield an answer of success, `whole` or from its start, after further attempts where the trouble may pass."""
        import aiohttp

        said, wait_s = "", 0.0
        for number in range(attempts):
            if number:
                backoff_s = min(self._limits.max_backoff_s, self._limits.first_backoff_s * 2 ** min(number, 30))
                await asyncio.sleep(max(backoff_s, min(wait_s, self._limits.max_retry_after_s)))
            if number and not number % 10:
                _LOG.warning("%s cannot be asked since %d attempts: %s", self._place(path), number, said)
            try:
                response = await self._session.request(method, self._url + path, **more())
                if whole or not response.ok:
                    await response.read()
            except (TimeoutError, aiohttp.ClientError) as error:
                said, wait_s = f"{type(error).__name__}: {error}", 0.0
                continue
            async with response:
                if response.ok:
                    yield response
                    return
                said = f"HTTP {response.status}: {self.quoted(await response.read())}"
                wait_s = seconds_of(response.headers.get("Retry-After", ""))
                if response.status < 500 and response.status != 429:
                    raise RegraftError(self._failure(method, path, said))
        raise Unclear(self._failure(method, path, said))

    def _failure(self, method: str, path: str, said: str) -> str:
        return f"{method} {self._place(path)}: {said}. What was answered is stored."

    def _place(self, path: str) -> str:
        return self._url + path.partition("?")[0]
