import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from regraft.core import ConfigError, Interrupted
from regraft.lm.client import generate as client
from regraft.lm.client.chat import ChatRequest, Message
from regraft.lm.client.endpoint import Endpoint
from regraft.lm.client.limits import Limits, Outcome, Price
from regraft.lm.client.responses import Exchange, ResponseStore
from tests.lm.loopback import Handler, completion, echo, serving

QUICK = Limits(concurrency=4, max_attempts=3, first_backoff_s=0.01, max_backoff_s=0.05, timeout_s=5)


def ask(*prompts: str, max_tokens: int = 20) -> list[ChatRequest]:
    return [ChatRequest(model="m", messages=(Message(role="user", content=p),), max_tokens=max_tokens) for p in prompts]


def numbered(count: int) -> list[ChatRequest]:
    return ask(*(f"q{i:03d}" for i in range(count)))


def generate(
    requests: Iterable[ChatRequest], endpoint: Endpoint, store: ResponseStore, limits: Limits, **more: Any
) -> dict[str, Outcome]:
    """Return what became of every request, those that are answered included."""
    outcomes: dict[str, Outcome] = {}
    unanswered = client.generate(
        requests, endpoint, store, limits, lambda request, outcome: outcomes.update({request.key: outcome}), **more
    )
    assert unanswered == {key: outcome for key, outcome in outcomes.items() if outcome.ending != "stored"}
    return outcomes


def endings(outcomes: dict[str, Outcome]) -> list[str]:
    return [outcome.ending for outcome in outcomes.values()]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    with ResponseStore(tmp_path / "responses.sqlite") as opened:
        yield opened


def test_every_answer_is_stored_as_it_came(store: ResponseStore):
    requests = numbered(20)
    with serving(echo) as (endpoint, _):
        outcomes = generate(requests, endpoint, store, QUICK)
    assert {r.key for r in requests} == set(outcomes)
    assert set(endings(outcomes)) == {"stored"}
    found = store.find(requests[3].key)
    assert found is not None
    assert json.loads(found.response)["choices"][0]["message"]["content"] == "answer to q003"
    assert (found.request, found.prompt_tokens, found.completion_tokens) == (requests[3].body(), 10, 20)
    assert store.spent_tokens() == 600


def test_what_is_stored_is_never_asked_again(store: ResponseStore):
    with serving(echo) as (endpoint, server):
        generate(numbered(5), endpoint, store, QUICK)
        outcomes = generate(numbered(8), endpoint, store, QUICK)
    assert endings(outcomes).count("stored") == 8
    assert set(server.seen.values()) == {1}


def test_one_prompt_with_two_seeds_is_two_requests(store: ResponseStore):
    one = ask("q")[0]
    other = dataclasses.replace(one, seed=1)
    with serving(echo) as (endpoint, server):
        assert len(generate([one, other, one], endpoint, store, QUICK)) == 2
    assert server.seen == {"q": 2}


async def _busy_first(body: dict[str, Any], number: int) -> web.StreamResponse:
    return web.Response(status=429, headers={"Retry-After": "0.2"}) if number == 1 else await echo(body, number)


async def _error_first(body: dict[str, Any], number: int) -> web.StreamResponse:
    return web.Response(status=500, text="oops") if number == 1 else await echo(body, number)


async def _html_first(body: dict[str, Any], number: int) -> web.StreamResponse:
    return web.Response(text="<html>busy</html>", content_type="text/html") if number == 1 else await echo(body, number)


async def _empty_first(body: dict[str, Any], number: int) -> web.StreamResponse:
    return web.json_response({"choices": []}) if number == 1 else await echo(body, number)


async def _cut_first(body: dict[str, Any], number: int) -> web.StreamResponse:
    return web.Response(text='{"choices": [{"mess') if number == 1 else await echo(body, number)


async def _slow_first(body: dict[str, Any], number: int) -> web.StreamResponse:
    if number == 1:
        await asyncio.sleep(30)
    return await echo(body, number)


@pytest.mark.parametrize("handler", [_busy_first, _error_first, _html_first, _empty_first, _cut_first, _slow_first])
def test_what_may_pass_is_tried_again(store: ResponseStore, handler: Handler):
    limits = Limits(concurrency=4, max_attempts=3, first_backoff_s=0.01, timeout_s=0.5)
    with serving(handler) as (endpoint, server):
        outcomes = generate(numbered(3), endpoint, store, limits)
    assert endings(outcomes) == ["stored"] * 3
    assert set(server.seen.values()) == {2}


def test_a_reset_connection_is_tried_again(store: ResponseStore):
    async def reset_first(body: dict[str, Any], number: int) -> web.StreamResponse:
        if number == 1:
            raise asyncio.CancelledError  # aiohttp drops the connection without an answer
        return await echo(body, number)

    with serving(reset_first) as (endpoint, server):
        outcomes = generate(numbered(3), endpoint, store, QUICK)
    assert endings(outcomes) == ["stored"] * 3
    assert max(server.seen.values()) == 2


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_final_and_stops_no_other(store: ResponseStore, status: int):
    async def refuse_one(body: dict[str, Any], number: int) -> web.StreamResponse:
        if body["messages"][0]["content"] == "q001":
            return web.Response(status=status, text='{"error":\n "too long"}' + "x" * 1000)
        return await echo(body, number)

    requests = numbered(4)
    with serving(refuse_one) as (endpoint, server):
        outcomes = generate(requests, endpoint, store, QUICK)
    assert endings(outcomes).count("stored") == 3
    refused = outcomes[requests[1].key]
    assert refused.ending == "refused"
    assert refused.reason.startswith(f'HTTP {status}: {{"error": "too long"}}xxx')
    assert len(refused.reason) == len(f"HTTP {status}: ") + 200
    assert set(server.seen.values()) == {1}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_would_meet_every_request_stops_the_run_at_once(store: ResponseStore, status: int):
    async def refuse(body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.Response(status=status, text="no such thing")

    with serving(refuse) as (endpoint, server):
        outcomes = generate(numbered(30), endpoint, store, dataclasses.replace(QUICK, concurrency=1))
    assert endings(outcomes) == ["stopped"] * 30
    assert {outcome.reason for outcome in outcomes.values()} == {f"HTTP {status}: no such thing"}
    assert server.seen == {"q000": 1}


def test_a_key_that_the_endpoint_repeats_is_not_quoted(store: ResponseStore, monkeypatch: pytest.MonkeyPatch):
    async def repeat(body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.Response(status=401, text="bad key s3cret")

    monkeypatch.setenv("REGRAFT_TEST_KEY", "s3cret")
    with serving(repeat) as (endpoint, _):
        keyed = dataclasses.replace(endpoint, key_variable="REGRAFT_TEST_KEY")
        (outcome,) = generate(numbered(1), keyed, store, QUICK).values()
    assert outcome.reason == "HTTP 401: bad key ***"


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
def test_what_does_not_pass_is_a_failure_of_the_endpoint(store: ResponseStore, status: int):
    async def fail(body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.Response(status=status)

    with serving(fail) as (endpoint, server):
        (outcome,) = generate(numbered(1), endpoint, store, QUICK).values()
    assert outcome == Outcome(ending="failed", reason=f"HTTP {status}, 3 attempts")
    assert server.seen == {"q000": 3}
    assert store.spent_tokens() == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://user:k3y@host/v1", "REGRAFT_API_KEY"),
        ("user:k3y@host/v1", "REGRAFT_API_KEY"),
        ("https://host/v1?key=k3y", "REGRAFT_API_KEY"),
        ("localhost:8000/v1", "http://"),
        ("ftp://host/v1", "http://"),
        ("http:///v1", "http://"),
        ("http://host:port/v1", "http://"),
        ("", "http://"),
    ],
)
def test_a_url_that_cannot_be_asked_or_holds_a_secret_is_refused(url: str, message: str):
    with pytest.raises(ConfigError, match=message) as raised:
        Endpoint(base_urls=(url,))
    assert "k3y" not in str(raised.value)


def test_an_endless_answer_is_refused(store: ResponseStore):
    async def endless(body: dict[str, Any], number: int) -> web.StreamResponse:
        return completion("x" * 200_000)

    limits = Limits(concurrency=1, max_answer_bytes=100_000)
    (request,) = numbered(1)
    with serving(endless) as (endpoint, _):
        (outcome,) = generate([request], endpoint, store, limits).values()
    assert outcome.ending == "refused"
    assert "100,000 bytes" in outcome.reason
    assert store.spent_tokens() == request.most.tokens


def test_the_budget_holds_and_its_cut_does_not_depend_on_concurrency(store: ResponseStore, tmp_path: Path):
    requests = numbered(30)
    budget = 30 * 8 + requests[0].most.tokens  # 30 tokens each; the last needs room for its upper bound
    cuts: list[list[str]] = []
    with serving(echo) as (endpoint, _):
        for concurrency in (1, 7):
            with ResponseStore(tmp_path / f"{concurrency}.sqlite") as fresh:
                limits = Limits(concurrency=concurrency, budget_tokens=budget)
                outcomes = generate(requests, endpoint, fresh, limits)
                assert fresh.spent_tokens() <= budget
                cuts.append([outcomes[r.key].ending for r in requests])
    assert cuts[0] == cuts[1] == ["stored"] * 9 + ["budget"] * 21


def test_a_spent_budget_stays_spent_after_a_restart(tmp_path: Path):
    limits = Limits(concurrency=2, budget_tokens=150)
    with serving(echo) as (endpoint, server):
        for _ in range(3):
            with ResponseStore(tmp_path / "r.sqlite") as store:
                generate(numbered(30), endpoint, store, limits)
                assert store.spent_tokens() <= limits.budget_tokens
    assert 0 < sum(server.seen.values()) <= 150 // 30


def test_what_is_answered_behind_the_end_of_the_budget_counts_as_answered(store: ResponseStore):
    requests = numbered(6)
    with serving(echo) as (endpoint, server):
        generate(requests[3:5], endpoint, store, Limits())
        outcomes = generate(requests, endpoint, store, Limits(budget_tokens=store.spent_tokens()))
    assert [outcomes[r.key].ending for r in requests] == ["budget"] * 3 + ["stored"] * 2 + ["budget"]
    assert sum(server.seen.values()) == 2


async def _no_choices(body: dict[str, Any], number: int) -> web.StreamResponse:
    return web.json_response({"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 20}})


async def _no_choices_unmetered(body: dict[str, Any], number: int) -> web.StreamResponse:
    return web.json_response({"choices": []})


async def _never(body: dict[str, Any], number: int) -> web.StreamResponse:
    await asyncio.sleep(30)
    raise AssertionError


async def _broken(body: dict[str, Any], number: int) -> web.StreamResponse:
    raise asyncio.CancelledError


@pytest.mark.parametrize("handler", [_no_choices, _no_choices_unmetered, _never, _broken])
@pytest.mark.parametrize("attempts", [1, 2])
def test_a_retry_is_paid_from_the_budget_too(store: ResponseStore, handler: Handler, attempts: int):
    request, *others = numbered(3)
    budget = attempts * request.most.tokens
    limits = dataclasses.replace(QUICK, concurrency=1, max_attempts=6, timeout_s=0.2, budget_tokens=budget)
    with serving(handler) as (endpoint, server):
        outcomes = generate([request, *others], endpoint, store, limits)
    assert 0 < store.spent_tokens() <= budget
    assert endings(outcomes) == ["budget"] * 3
    assert server.seen == {"q000": attempts}


def test_the_budget_bounds_retries_beside_requests_in_flight(store: ResponseStore):
    requests = numbered(20)
    limits = dataclasses.replace(QUICK, max_attempts=6, budget_tokens=5 * requests[0].most.tokens)
    with serving(_no_choices) as (endpoint, _):
        generate(requests, endpoint, store, limits)
    assert 0 < store.spent_tokens() <= limits.budget_tokens


def test_an_answer_without_usage_costs_its_upper_bound(store: ResponseStore):
    async def unmetered(body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.json_response({"choices": [{"message": {"content": "a"}}]})

    (request,) = numbered(1)
    with serving(unmetered) as (endpoint, _):
        generate([request], endpoint, store, QUICK)
    found = store.find(request.key)
    assert found is not None
    assert not found.metered
    assert store.spent_tokens() == request.most.tokens


def test_a_bad_body_that_cost_tokens_is_counted(store: ResponseStore):
    async def empty(body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.json_response({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 0}})

    with serving(empty) as (endpoint, _):
        (outcome,) = generate(numbered(1), endpoint, store, QUICK).values()
    assert outcome == Outcome(ending="refused", reason="no choices, 3 attempts")
    assert store.spent_tokens() == 21


def test_a_dead_endpoint_stops_the_run_and_every_request_is_accounted_for(store: ResponseStore):
    requests = numbered(100)
    limits = Limits(concurrency=4, max_attempts=1, failure_window=10)
    outcomes = generate(requests, Endpoint(base_urls=("http://127.0.0.1:9/v1",)), store, limits)
    assert {r.key for r in requests} == set(outcomes)
    assert 10 <= endings(outcomes).count("failed") <= 14
    assert endings(outcomes).count("stopped") >= 86
    assert "10 of the last 10 requests failed" in outcomes[requests[-1].key].reason


def test_the_key_comes_from_the_environment_and_is_stored_nowhere(
    store: ResponseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with serving(echo) as (endpoint, server):
        keyed = Endpoint(base_urls=endpoint.base_urls, key_variable="REGRAFT_TEST_KEY")
        with pytest.raises(ConfigError, match="REGRAFT_TEST_KEY"):
            generate(numbered(1), keyed, store, QUICK)
        monkeypatch.setenv("REGRAFT_TEST_KEY", "s3cret")
        generate(numbered(1), keyed, store, QUICK)
    assert server.headers == ["Bearer s3cret"]
    store.close()
    assert all(b"s3cret" not in path.read_bytes() for path in tmp_path.iterdir())


def test_what_waits_for_the_endpoint_is_not_sent_after_an_interrupt(store: ResponseStore):
    async def busy(body: dict[str, Any], number: int) -> web.StreamResponse:
        if body["messages"][0]["content"] == "q000":
            return web.Response(status=429, headers={"Retry-After": "30"})
        await asyncio.sleep(0.2)  # until the other worker knows
        return await echo(body, number)

    def interrupt(request: ChatRequest, outcome: Outcome) -> None:
        if outcome.ending == "stored":  # the answer to q001 frees its worker, which takes q002 and waits
            asyncio.get_running_loop().call_later(0.3, signal.raise_signal, signal.SIGINT)

    limits = Limits(concurrency=2, max_backoff_s=30)
    with serving(busy) as (endpoint, server), pytest.raises(Interrupted, match="every answer is stored"):
        client.generate(numbered(3), endpoint, store, limits, interrupt)
    assert server.seen == {"q000": 1, "q001": 1}


_CLIENT = """
    import sys
    from pathlib import Path
    from regraft.lm.client.chat import ChatRequest, Message
    from regraft.lm.client.generate import generate
    from regraft.lm.client.endpoint import Endpoint
    from regraft.lm.client.limits import Limits
    from regraft.lm.client.responses import ResponseStore
    requests = [ChatRequest(model="m", messages=(Message(role="user", content=f"q{i:03d}"),), max_tokens=20)
                for i in range(40)]
    with ResponseStore(Path(sys.argv[2])) as store:
        generate(requests, Endpoint(base_urls=(sys.argv[1],)), store, Limits(concurrency=4))
"""


@pytest.mark.parametrize(("number", "paid_twice"), [(signal.SIGKILL, 4), (signal.SIGTERM, 0), (signal.SIGINT, 0)])
def test_a_killed_run_buys_again_at_most_what_was_in_flight(tmp_path: Path, number: signal.Signals, paid_twice: int):
    reached = threading.Event()

    async def slow(body: dict[str, Any], number: int) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        if body["messages"][0]["content"] == "q012":
            reached.set()
        return await echo(body, number)

    with serving(slow) as (endpoint, server):
        command = [sys.executable, "-c", textwrap.dedent(_CLIENT), endpoint.base_urls[0], str(tmp_path / "r.sqlite")]
        child = subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.DEVNULL)
        assert reached.wait(60)
        child.send_signal(number)
        assert child.wait(30) != 0
        assert sum(server.seen.values()) < 40
        with ResponseStore(tmp_path / "r.sqlite") as store:
            generate(numbered(40), endpoint, store, QUICK)
            assert len(store.answered()) == 40
        assert sum(server.seen.values()) - 40 <= paid_twice


def test_requests_are_read_as_there_is_room_for_them(store: ResponseStore):
    read: list[int] = []

    def lazily() -> Iterator[ChatRequest]:
        for number, request in enumerate(numbered(60)):
            read.append(number)
            yield request

    most_ahead = 0

    async def watch(body: dict[str, Any], number: int) -> web.StreamResponse:
        nonlocal most_ahead
        most_ahead = max(most_ahead, len(read) - store.num_answers())
        return await echo(body, number)

    with serving(watch) as (endpoint, _):
        outcomes = generate(lazily(), endpoint, store, QUICK)
    assert endings(outcomes) == ["stored"] * 60
    assert most_ahead <= QUICK.concurrency + 1


def test_what_follows_from_an_answer_is_asked_before_anything_new(store: ResponseStore):
    order: list[str] = []

    async def noted(body: dict[str, Any], number: int) -> web.StreamResponse:
        order.append(body["messages"][0]["content"])
        return await echo(body, number)

    def judge(request: ChatRequest, exchange: Exchange) -> list[ChatRequest]:
        prompt = request.messages[0].content
        assert json.loads(exchange.response)["choices"][0]["message"]["content"] == f"answer to {prompt}"
        return ask(f"judge {prompt}") if prompt.startswith("q") else []

    limits = dataclasses.replace(QUICK, concurrency=1)
    with serving(noted) as (endpoint, _):
        outcomes = generate(numbered(3), endpoint, store, limits, follow=judge)
        assert endings(outcomes) == ["stored"] * 6
        assert order == ["q000", "judge q000", "q001", "judge q001", "q002", "judge q002"]
        generate(numbered(3), endpoint, store, limits, follow=judge)
    assert len(order) == 6


def test_what_follows_from_an_answer_of_an_earlier_run_is_asked_too(store: ResponseStore):
    with serving(echo) as (endpoint, server):
        generate(numbered(3), endpoint, store, QUICK)
        outcomes = generate(
            numbered(3),
            endpoint,
            store,
            QUICK,
            follow=lambda r, _: ask(f"judge {r.messages[0].content}") if r.messages[0].content.startswith("q") else [],
        )
    assert len(outcomes) == 6
    assert set(server.seen.values()) == {1}


def test_an_error_in_what_follows_loses_no_answer_in_flight(store: ResponseStore):
    async def slow_but_first(body: dict[str, Any], number: int) -> web.StreamResponse:
        await asyncio.sleep(0 if body["messages"][0]["content"] == "q000" else 0.2)
        return await echo(body, number)

    def broken(request: ChatRequest, exchange: Exchange) -> list[ChatRequest]:
        raise ZeroDivisionError("a parser's fault")

    with serving(slow_but_first) as (endpoint, server), pytest.raises(ZeroDivisionError, match="a parser's fault"):
        client.generate(numbered(30), endpoint, store, QUICK, follow=broken)
    assert store.num_answers() == sum(server.seen.values()) >= 4


def test_a_budget_in_money_holds(store: ResponseStore):
    price = Price(prompt=1e6, completion=2e6)  # 10 + 2 x 20 an answer
    requests = numbered(30)
    budget = 50 * 6 + price.of(requests[0].most)
    limits = dataclasses.replace(QUICK, price=price, budget_money=budget)
    with serving(echo) as (endpoint, _):
        outcomes = generate(requests, endpoint, store, limits)
    assert price.of(store.spent()) <= budget
    assert [outcomes[r.key].ending for r in requests] == ["stored"] * 7 + ["money"] * 23


def test_money_without_a_price_is_refused():
    with pytest.raises(ConfigError, match="needs a price"):
        Limits(budget_money=1.0)


def test_what_a_kill_left_in_flight_counts_at_its_most(tmp_path: Path):
    path, requests = tmp_path / "r.sqlite", numbered(3)
    with ResponseStore(path) as store:
        store.commit(sent=requests, exchanges=(), settled=())  # and then nothing: killed
    with ResponseStore(path) as store, serving(echo) as (endpoint, _):
        limits = dataclasses.replace(QUICK, budget_tokens=3 * requests[0].most.tokens + 10)
        outcomes = generate(requests, endpoint, store, limits)
        assert endings(outcomes) == ["budget"] * 3
        assert store.spent_tokens() == 3 * requests[0].most.tokens
        roomy = dataclasses.replace(QUICK, budget_tokens=10**6)
        assert endings(generate(requests, endpoint, store, roomy)) == ["stored"] * 3
        assert store.spent_tokens() == 3 * requests[0].most.tokens + 90


@pytest.mark.parametrize(("rate", "fewest_seconds"), [("requests_per_minute", 1.0), ("tokens_per_minute", 0.5)])
def test_rates_are_kept(store: ResponseStore, rate: str, fewest_seconds: float):
    limits = dataclasses.replace(QUICK, **{rate: 600.0 if rate.startswith("requests") else 60 * 20 * 10.0})
    started = time.monotonic()
    with serving(echo) as (endpoint, _):
        generate(numbered(21), endpoint, store, limits)  # 10 a second, of which a second's worth at once
    assert time.monotonic() - started >= fewest_seconds


def test_a_rate_binds_retries_too(store: ResponseStore):
    came: list[float] = []

    async def fails_first(body: dict[str, Any], number: int) -> web.StreamResponse:
        came.append(time.monotonic())
        return web.Response(status=500) if number == 1 else await echo(body, number)

    limits = dataclasses.replace(QUICK, requests_per_minute=1200.0)  # 20 a second, of which a second's worth at once
    with serving(fails_first) as (endpoint, _):
        outcomes = generate(numbered(25), endpoint, store, limits)
    assert endings(outcomes) == ["stored"] * 25
    assert len(came) == 50
    on_its_way = 0.1  # s; the first may have needed longer to come than the last
    assert came[-1] - came[0] >= (50 - 20 - 1) / 20 - on_its_way


def test_refusals_that_come_before_slow_answers_stop_nothing(store: ResponseStore):
    async def refuse_some(body: dict[str, Any], number: int) -> web.StreamResponse:
        if int(body["messages"][0]["content"][1:]) % 4 == 0:
            return web.Response(status=400)
        await asyncio.sleep(0.3)
        return await echo(body, number)

    limits = dataclasses.replace(QUICK, concurrency=64)
    with serving(refuse_some) as (endpoint, _):
        outcomes = generate(numbered(120), endpoint, store, limits)
        assert (endings(outcomes).count("refused"), store.num_answers()) == (30, 90)
        again = generate(numbered(160), endpoint, store, dataclasses.replace(limits, concurrency=1))
    assert (endings(again).count("refused"), store.num_answers()) == (40, 120)


def test_an_endpoint_that_refuses_everything_is_stopped_early(store: ResponseStore):
    async def refuse(body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.Response(status=400, text="no such model")

    with serving(refuse) as (endpoint, server):
        outcomes = generate(numbered(500), endpoint, store, dataclasses.replace(QUICK, concurrency=4))
    assert len(server.seen) < 30
    assert "no such model" in outcomes[numbered(500)[-1].key].reason


@pytest.mark.parametrize("usage", [-1_000_000, 10**19, 9 * 10**18, True, "7"])
def test_usage_that_cannot_be_counts_as_not_told(store: ResponseStore, usage: object):
    async def lie(body: dict[str, Any], number: int) -> web.StreamResponse:
        choice = {"message": {"content": "a"}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "usage": {"prompt_tokens": usage, "completion_tokens": 1}})

    requests = numbered(3)
    with serving(lie) as (endpoint, _):
        assert endings(generate(requests, endpoint, store, QUICK)) == ["stored"] * 3
    told = store.find(requests[0].key)
    assert told is not None
    assert not told.metered
    assert store.spent_tokens() == 3 * requests[0].most.tokens


def test_an_error_that_comes_with_status_200_is_one(store: ResponseStore):
    async def route(body: dict[str, Any], number: int) -> web.StreamResponse:
        busy = {"error": {"code": 429, "message": "busy"}}
        return web.json_response(busy) if number == 1 else await echo(body, number)

    with serving(route) as (endpoint, server):
        assert endings(generate(numbered(2), endpoint, store, QUICK)) == ["stored"] * 2
    assert server.seen == {"q000": 2, "q001": 2}
    assert store.spent_tokens() == 60


@pytest.mark.parametrize("key", ["s3cret\n", "s3 cret", "s\u20ac"])
def test_a_key_that_can_be_none_is_refused_and_not_quoted(key: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REGRAFT_TEST_KEY", key)
    keyed = Endpoint(base_urls=("http://127.0.0.1:9/v1",), key_variable="REGRAFT_TEST_KEY")
    with pytest.raises(ConfigError, match="REGRAFT_TEST_KEY") as caught:
        keyed.headers()
    assert key.strip() not in str(caught.value)
