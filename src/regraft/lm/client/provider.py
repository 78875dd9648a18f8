"""Files and batches of a provider, in the format of OpenAI."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from regraft.core import RegraftError
from regraft.lm.client.provider_http import ProviderHttp, Unclear

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_TAG = "regraft"
"""Metadata of a batch that names it, so that it is found again after a kill."""
LOOKS = 3
"""At the list of batches, before one that is not in it is believed never to have been started."""
PATIENCE = 1500
"""Attempts to look at a batch that is under way: a day of an endpoint that cannot be reached."""
_PAGES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch that has ended."""

    id: str
    files: tuple[str, ...]
    """Of results."""
    input_file: str
    error: str
    """What the provider says against the whole of it; empty where it was begun."""


class Provider:
    """What is sent to a provider and comes back; a batch has the name that we gave it."""

    def __init__(self, http: ProviderHttp, max_attempts: int) -> None:
        self._http, self._max_attempts = http, max_attempts

    async def send(self, name: str, lines: bytes, poll_s: float) -> str:
        """Start a batch of requests in JSON lines; return what the provider calls it.

        Where it is unclear whether it was started, it is looked for before it is started again.

        Raises:
            RegraftError: the provider refuses it.
        """
        import aiohttp

        def form() -> dict[str, Any]:
            data = aiohttp.FormData()
            data.add_field("purpose", "batch")
            data.add_field("file", lines, filename=f"{name}.jsonl", content_type="application/jsonl")
            return {"data": data}

        file = _text(await self._http.json("POST", "/files", form), "id", "/files")
        batch = {
            "input_file_id": file,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {_TAG: name},
        }
        for number in range(self._max_attempts):
            try:
                return _text(
                    await self._http.json("POST", "/batches", lambda: {"json": batch}, attempts=1), "id", "/batches"
                )
            except Unclear as error:
                if found := await self.find(name, poll_s):
                    return found
                if number + 1 == self._max_attempts:
                    raise RegraftError(str(error)) from error
        raise AssertionError("there is one attempt at least")

    async def find(self, name: str, poll_s: float) -> str:
        """Return what the provider calls the batch of a name; "" when several looks do not find it."""
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(poll_s)
            after = ""
            for _ in range(_PAGES):
                page = await self._http.json("GET", f"/batches?limit=100{after}", attempts=PATIENCE)
                batches = [batch for batch in page.get("data") or () if isinstance(batch, dict)]
                for batch in batches:
                    if (batch.get("metadata") or {}).get(_TAG) == name:
                        return _text(batch, "id", "/batches")
                last = f"&after={batches[-1].get('id')}" if batches else ""
                if not page.get("has_more") or not batches or last == after:
                    break
                after = last
        return ""

    async def ended(self, id_: str, poll_s: float) -> Batch:
        """Return a batch once it has ended."""
        while True:
            batch = await self._http.json("GET", f"/batches/{id_}", attempts=PATIENCE)
            if _text(batch, "status", f"/batches/{id_}") in _ENDED:
                break
            await asyncio.sleep(poll_s)
        files = tuple(str(batch[kind]) for kind in ("output_file_id", "error_file_id") if batch.get(kind))
        failed = batch["status"] == "failed" and not files
        said = self._http.quoted(json.dumps(batch.get("errors")).encode())
        error = f"the batch {id_} failed: {said}" if failed else ""
        return Batch(id=id_, files=files, input_file=str(batch.get("input_file_id") or ""), error=error)

    async def results(self, batch: Batch) -> AsyncIterator[tuple[str, tuple[int, bytes]]]:
        """Yield key, status and body of each request of a batch that has ended."""
        for file in batch.files:
            async for line in self._http.lines(f"/files/{file}/content", PATIENCE):
                if found := _result(line):
                    yield found

    async def forget(self, batch: Batch) -> None:
        """Delete the requests of a batch at the provider, if it lets us."""
        if batch.input_file:
            await self._http.delete(f"/files/{batch.input_file}")


def _text(found: dict[str, Any], name: str, path: str) -> str:
    """Return a text of an answer.

    Raises:
        RegraftError: there is none.
    """
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise RegraftError(f"{path} of the provider answered without {name!r}. Has it a batch API as OpenAI has it?")
    return value


def _result(line: bytes) -> tuple[str, tuple[int, bytes]] | None:
    """Return key, status and body of a line of results; None for a line that is none."""
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match row:
        case {"custom_id": str() as key, "response": {"status_code": int() as status, "body": body}}:
            return key, (status, json.dumps(body).encode())
        case {"custom_id": str() as key}:
            return key, (0, json.dumps(row.get("error")).encode())
        case _:
            return None
