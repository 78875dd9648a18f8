"""The batch API of a provider, against one on loopback that keeps files and batches as the real one does."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from regraft.core import RegraftError
from regraft.lm.chat import ChatRequest, Message
from regraft.lm.endpoint import Endpoint
from regraft.lm.limits import Limits, Outcome
from regraft.lm.provider_batches import generate_in_batches
from regraft.lm.responses import Exchange, ResponseStore

LIMITS = Limits(max_attempts=3, first_backoff_s=0.001, timeout_s=5)
Answer = Callable[[str, int], tuple[int, Any] | None]


def completed(prompt: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": f"answer to {prompt}"}
    usage = {"prompt_tokens": 10, "completion_tokens": 20}
    return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}


class FakeProvider:
    """Serves each batch when it is looked at for the second time; `seen` counts how often each prompt came."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.seen = answer, dict[str, int]()
        self.files, self.batches = dict[str, bytes](), list[dict[str, Any]]()
        self.troubles = 0
        """Requests that are answered by 503 first."""

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["purpose"] == "batch"
        self.files[name := f"file-{len(self.files)}"] = form["file"].file.read()  # type: ignore[union-attr]
        return web.json_response({"id": name})

    async def create(self, request: web.Request) -> web.Response:
        batch = {"id": f"batch-{len(self.batches)}", "status": "validating", **await request.json()}
        self.batches.insert(0, batch)
        return web.json_response(batch)

    async def all(self, request: web.Request) -> web.Response:
        if self.troubles:
            self.troubles -= 1
            return web.Response(status=503)
        after = request.query.get("after")
        start = next((n + 1 for n, batch in enumerate(self.batches) if batch["id"] == after), 0)
        page = self.batches[start : start + 2]
        return web.json_response({"data": page, "has_more": start + 2 < len(self.batches)})

    async def look(self, request: web.Request) -> web.Response:
        batch = next(batch for batch in self.batches if batch["id"] == request.match_info["id"])
        if batch["status"] == "validating":
            self.serve(batch)
        return web.json_response(batch)

    def serve(self, batch: dict[str, Any]) -> None:
        lines: list[dict[str, Any]] = []
        for line in self.files[batch["input_file_id"]].splitlines():
            asked = json.loads(line)
            prompt = asked["body"]["messages"][0]["content"]
            self.seen[prompt] = self.seen.get(prompt, 0) + 1
            if found := self.answer(prompt, self.seen[prompt]):
                response = {"status_code": found[0], "body": found[1]}
                lines.append({"custom_id": asked["custom_id"], "response": response, "error": None})
        self.files[name := f"file-{len(self.files)}"] = "\n".join(map(json.dumps, reversed(lines))).encode()
        batch.update(status="completed", output_file_id=name)

    async def content(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["id"]])


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[Endpoint, FakeProvider]]:
    fake, loop = FakeProvider(answer), asyncio.new_event_loop()
    app = web.Application()
    app.router.add_post("/v1/files", fake.upload)
    app.router.add_get("/v1/files/{id}/content", fake.content)
    app.router.add_post("/v1/batches", fake.create)
    app.router.add_get("/v1/batches", fake.all)
    app.router.add_get("/v1/batches/{id}", fake.look)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Endpoint(base_urls=(f"http://127.0.0.1:{runner.addresses[0][1]}/v1",)), fake
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def always(prompt: str, time: int) -> tuple[int, Any]:
    return 200, completed(prompt)


def asked(*prompts: str) -> list[ChatRequest]:
    return [ChatRequest(model="m", messages=(Message(role="user", content=p),), max_tokens=20) for p in prompts]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    with ResponseStore(tmp_path / "responses.sqlite") as opened:
        yield opened


def generate(endpoint: Endpoint, store: ResponseStore, requests: list[ChatRequest], **more: Any) -> dict[str, str]:
    """Return by prompt what became of the requests."""
    told: dict[str, str] = {}

    def tell(request: ChatRequest, outcome: Outcome) -> None:
        told[request.messages[0].content] = outcome.ending

    generate_in_batches(requests, endpoint, store, more.pop("limits", LIMITS), tell, poll_s=0.001, **more)
    return told


def test_answers_come_in_any_order_and_are_paid_for_once(store: ResponseStore):
    requests = asked("a", "b", "c")
    with serving(always) as (endpoint, fake):
        fake.troubles = 2
        assert generate(endpoint, store, requests) == dict.fromkeys("abc", "stored")
        assert generate(endpoint, store, requests) == dict.fromkeys("abc", "stored")
    assert fake.seen == dict.fromkeys("abc", 1)
    assert store.spent_tokens() == 90
    assert store.batches() == []
    found = store.find(requests[0].key)
    assert found is not None
    assert found.request == requests[0].body()
    assert json.loads(found.response) == completed("a")


def test_what_follows_goes_into_the_next_batch(store: ResponseStore):
    def follow(request: ChatRequest, exchange: Exchange) -> list[ChatRequest]:
        prompt = request.messages[0].content
        return asked(f"judge {prompt}") if len(prompt) == 1 else []

    with serving(always) as (endpoint, fake):
        told = generate(endpoint, store, asked("a", "b"), follow=follow)
    assert told == dict.fromkeys(["a", "b", "judge a", "judge b"], "stored")
    assert len(fake.batches) == 2


def test_what_comes_back_without_an_answer_is_tried_again_and_at_last_accounted_for(store: ResponseStore):
    def sometimes(prompt: str, time: int) -> tuple[int, Any] | None:
        match prompt:
            case "late":
                return always(prompt, time) if time > 1 else (500, {"error": "busy"})
            case "empty":
                return 200, {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 0}}
            case "refused":
                return 400, {"error": "too long"}
            case "expired":
                return None
            case _:
                return always(prompt, time)

    with serving(sometimes) as (endpoint, fake):
        told = generate(endpoint, store, asked("good", "late", "empty", "refused", "expired"))
    assert told == {"good": "stored", "late": "stored", "empty": "failed", "refused": "refused", "expired": "failed"}
    assert fake.seen == {"good": 1, "late": 2, "empty": 3, "refused": 3, "expired": 3}
    assert store.spent_tokens() == 2 * 30 + 3 * 5


def test_the_budget_holds_and_what_does_not_fit_waits_for_the_next_batch(store: ResponseStore):
    requests = asked(*"abcdef")
    limits = Limits(budget_tokens=3 * requests[0].most.tokens)
    with serving(always) as (endpoint, fake):
        told = generate(endpoint, store, requests, limits=limits)
    assert store.spent_tokens() <= limits.budget_tokens
    assert len(fake.batches) == 2
    assert list(told.values()) == ["stored"] * 4 + ["budget"] * 2


def test_a_killed_run_is_collected_and_not_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    requests = asked("a", "b")

    async def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    with serving(always) as (endpoint, fake):
        with ResponseStore(tmp_path / "r.sqlite") as store, monkeypatch.context() as patch:
            patch.setattr("regraft.lm.provider.Provider.results", killed)
            with pytest.raises(KeyboardInterrupt):
                generate(endpoint, store, requests)
            assert len(store.batches()) == 1
        with ResponseStore(tmp_path / "r.sqlite") as store:
            assert generate(endpoint, store, requests) == dict.fromkeys("ab", "stored")
            assert store.spent_tokens() == 60
    assert fake.seen == dict.fromkeys("ab", 1)


def test_a_batch_that_was_never_started_costs_nothing(store: ResponseStore):
    requests = asked("a")
    store.open_batch("lost", requests)
    with serving(always) as (endpoint, _):
        assert generate(endpoint, store, requests) == {"a": "stored"}
    assert store.spent_tokens() == 30


def test_what_the_provider_refuses_is_an_error_with_its_words(store: ResponseStore):
    with serving(always) as (endpoint, _):
        elsewhere = Endpoint(base_urls=(endpoint.base_urls[0].replace("/v1", "/v2"),))
        with pytest.raises(RegraftError, match=r"POST .*/v2/files: HTTP 404"):
            generate(elsewhere, store, asked("a"))
