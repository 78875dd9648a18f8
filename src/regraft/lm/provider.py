"""Files and batches of a provider over HTTP, in the format of OpenAI."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Self

from regraft.core import RegraftError
from regraft.lm.endpoint import Endpoint
from regraft.lm.limits import Limits

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_TAG = "regraft"
"""Metadata of a batch that names it, so that it is found again after a kill."""


class Provider:
    """What is sent to a provider and comes back; a batch has the name that we gave it."""

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

    async def send(self, name: str, lines: bytes) -> None:
        """Start a batch of requests in JSON lines.

        Raises:
            RegraftError: the provider refuses it.
        """
        import aiohttp

        def form() -> aiohttp.FormData:
            data = aiohttp.FormData()
            data.add_field("purpose", "batch")
            data.add_field("file", lines, filename=f"{name}.jsonl", content_type="application/jsonl")
            return data

        file = json.loads(await self._ask("POST", "/files", lambda: {"data": form()}))
        batch = {
            "input_file_id": file["id"],
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {_TAG: name},
        }
        await self._ask("POST", "/batches", lambda: {"json": batch})

    async def results(self, name: str, poll_s: float) -> dict[str, tuple[int, bytes]]:
        """Return status and body by request once a batch has ended; nothing where it was never started.

        Raises:
            RegraftError: the provider found the file at fault, or cannot be reached.
        """
        batch = await self._find(name)
        while batch is not None and batch["status"] not in _ENDED:
            await asyncio.sleep(poll_s)
            batch = json.loads(await self._ask("GET", f"/batches/{batch['id']}"))
        if batch is None:
            return {}
        found: dict[str, tuple[int, bytes]] = {}
        for file in filter(None, (batch.get("output_file_id"), batch.get("error_file_id"))):
            content = await self._ask("GET", f"/files/{file}/content")
            found.update(filter(None, map(_result, content.splitlines())))
        if not found and batch["status"] == "failed":
            raise RegraftError(f"The batch {batch['id']} failed: {json.dumps(batch.get('errors'))[:500]}")
        return found

    async def _find(self, name: str) -> dict[str, Any] | None:
        after = ""
        while True:
            page = json.loads(await self._ask("GET", f"/batches?limit=100{after}"))
            for batch in page["data"]:
                if (batch.get("metadata") or {}).get(_TAG) == name:
                    return batch
            if not page.get("has_more"):
                return None
            after = f"&after={page['data'][-1]['id']}"

    async def _ask(self, method: str, path: str, more: Any = dict) -> bytes:
        """Return the body of an answer, after further attempts where the trouble may pass."""
        import aiohttp

        said = ""
        for number in range(self._limits.max_attempts):
            if number:
                await asyncio.sleep(min(self._limits.max_backoff_s, self._limits.first_backoff_s * 2**number))
            try:
                async with self._session.request(method, self._url + path, **more()) as response:
                    body = await response.read()
                    if response.status == 200:
                        return body
                    said = f"HTTP {response.status}: {' '.join(body.decode('utf-8', 'replace').split())[:200]}"
                    if response.status < 500 and response.status != 429:
                        break
            except (TimeoutError, aiohttp.ClientError) as error:
                said = f"{type(error).__name__}: {error}"
        raise RegraftError(f"{method} {self._url}{path.partition('?')[0]}: {said}. What was answered is stored.")


def _result(line: bytes) -> tuple[str, tuple[int, bytes]] | None:
    """Return key, status and body of a line of results; None for a line that is none."""
    try:
        row: Any = json.loads(line)
    except ValueError:
        return None
    match row:
        case {"custom_id": str() as key, "response": {"status_code": int() as status, "body": body}}:
            return key, (status, json.dumps(body, ensure_ascii=False).encode())
        case {"custom_id": str() as key}:
            return key, (0, json.dumps(row.get("error"), ensure_ascii=False).encode())
        case _:
            return None
