from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from regraft.core import Context, RegraftError, Ticker
from regraft.lm.client.ask import ask
from regraft.lm.client.chat import ChatRequest, Message
from regraft.lm.client.generate import Follow, nothing
from regraft.lm.client.limits import Limits
from regraft.lm.client.responses import Exchange, ResponseStore
from tests.lm.loopback import echo, serving


class Seen:
    """Notes what progress is shown: how much was done at the start, and every advance after it."""

    def __init__(self) -> None:
        self.done = 0.0
        self.advances = 0.0

    def track(self, label: str, total: float, unit: str, done: float = 0) -> Ticker:
        self.done = done
        return self

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.advances += amount

    def finish(self, ticker: Ticker) -> None:
        pass


def request(text: str) -> ChatRequest:
    return ChatRequest(model="m", messages=(Message(role="user", content=text),), max_tokens=20)


def shown(count: int, root: Path, follow: Follow = nothing) -> tuple[float, float]:
    """Ask so many requests and return what was done at the start and what came after it."""
    seen = Seen()
    ctx = Context(out=root, scratch=root, progress=seen)
    with serving(echo) as (endpoint, _), ResponseStore(root / "responses.sqlite") as store:
        ask([request(f"q{i}") for i in range(count)], endpoint, Limits(), store, ctx, "ask", total=6, follow=follow)
    return seen.done, seen.advances


def test_progress_begins_with_what_is_answered_already(tmp_path: Path) -> None:
    assert shown(2, tmp_path) == (0, 2)
    assert shown(6, tmp_path) == (2, 4)
    assert shown(6, tmp_path) == (6, 0)


def test_so_it_does_where_requests_follow_from_answers(tmp_path: Path) -> None:
    def judged(asked: ChatRequest, _: Exchange) -> list[ChatRequest]:
        text = asked.messages[0].content
        return [] if text.startswith("judge") else [request(f"judge {text}")]

    assert shown(1, tmp_path, judged) == (0, 2)
    assert shown(3, tmp_path, judged) == (2, 4)


@pytest.mark.parametrize("status", [401, 404, 501])
def test_where_nobody_is_answered_it_says_what_to_look_at(tmp_path: Path, status: int) -> None:
    async def refuse(body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.Response(status=status, text="no")

    ctx = Context(out=tmp_path, scratch=tmp_path)
    said = rf"0 of 1 .*HTTP {status}: no.*its URL .*REGRAFT_API_KEY.*tries again\.$"
    with (
        serving(refuse) as (endpoint, server),
        ResponseStore(tmp_path / "responses.sqlite") as store,
        pytest.raises(RegraftError, match=said),
    ):
        ask([request("q")], endpoint, Limits(), store, ctx, "ask", total=1)
    assert server.seen == {"q": 1}


def test_a_budget_that_nothing_fits_into_asks_for_a_larger_one(tmp_path: Path) -> None:
    ctx = Context(out=tmp_path, scratch=tmp_path)
    said = r"0 of 1 .* are spent; .*Give a larger budget of tokens\.$"
    with (
        serving(echo) as (endpoint, server),
        ResponseStore(tmp_path / "responses.sqlite") as store,
        pytest.raises(RegraftError, match=said),
    ):
        ask([request("q")], endpoint, Limits(budget_tokens=5), store, ctx, "ask", total=1)
    assert not server.seen
