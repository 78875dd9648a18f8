"""What an endpoint, or the reader of our own requests, may do to a run: every request is accounted for."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from regraft.lm.client.chat import ChatRequest, Message
from regraft.lm.client.generate import generate
from regraft.lm.client.limits import Limits, Outcome
from regraft.lm.client.responses import ResponseStore
from tests.lm.loopback import echo, serving


def numbered(count: int) -> list[ChatRequest]:
    turns = [(Message(role="user", content=f"{number}"),) for number in range(count)]
    return [ChatRequest(model="m", messages=messages, max_tokens=20) for messages in turns]


async def _drip() -> AsyncIterator[bytes]:
    """Send a byte at a time, for much longer than an attempt may take."""
    for _ in range(300):
        yield b" "
        await asyncio.sleep(0.1)


async def _hostile(body: dict[str, Any], number: int) -> web.StreamResponse:
    """Ten kinds of prompt by their number; only the last two kinds get an answer in the end."""
    match int(body["messages"][0]["content"]) % 10:
        case 0:
            return web.Response(status=500, text="oops")
        case 1:
            return web.Response(status=429)
        case 2:
            return web.Response(status=429, headers={"Retry-After": "0.05"})
        case 3:
            raise asyncio.CancelledError  # aiohttp drops the connection without an answer
        case 4 if number == 1:
            await asyncio.sleep(30)
        case 4:
            return web.Response(body=_drip(), content_type="application/json")
        case 5:
            return web.Response(text="<html>busy</html>", content_type="text/html")
        case 6:
            return web.Response(text='{"choices": [{"mess')
        case 7:
            return web.json_response({"choices": []} if number % 2 else {"answer": "wrong schema"})
        case 8 if number == 1:
            return web.Response(body=b"x" * 10_000_000)
        case _:
            pass
    return await echo(body, number)


def test_every_request_to_a_hostile_endpoint_is_accounted_for(tmp_path: Path) -> None:
    told = Counter[str]()

    def tell(_: ChatRequest, outcome: Outcome) -> None:
        told[outcome.ending] += 1

    limits = Limits(
        concurrency=16,
        max_attempts=2,
        first_backoff_s=0.01,
        max_backoff_s=0.1,
        timeout_s=0.5,
        max_failure_share=1.0,
        max_answer_bytes=2**20,
    )
    with ResponseStore(tmp_path / "r.sqlite") as store, serving(_hostile) as (endpoint, _):
        unanswered = generate(numbered(40), endpoint, store, limits, tell)
        assert store.num_answers() == told["stored"] == 4
    assert told.total() == 40
    assert len(unanswered) == 36
    assert {outcome.ending for outcome in unanswered.values()} == {"failed", "refused"}


def test_an_error_in_the_requests_loses_no_answer_in_flight(tmp_path: Path) -> None:
    async def slow(body: dict[str, Any], number: int) -> web.StreamResponse:
        await asyncio.sleep(0.3)
        return await echo(body, number)

    def torn() -> Iterator[ChatRequest]:
        yield from numbered(5)
        raise OSError("the page cannot be read")

    with ResponseStore(tmp_path / "r.sqlite") as store, serving(slow) as (endpoint, server):
        with pytest.raises(OSError, match="cannot be read"):
            generate(torn(), endpoint, store, Limits(concurrency=2))
        assert store.num_answers() == sum(server.seen.values()) >= 4
