"""The batch API of a provider, against one on loopback that keeps files and batches as the real one does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from regraft.core import RegraftError
from regraft.lm.client.chat import ChatRequest, Message
from regraft.lm.client.endpoint import Endpoint
from regraft.lm.client.limits import Limits, Outcome
from regraft.lm.client.provider_batches import generate_in_batches
from regraft.lm.client.responses import Exchange, ResponseStore
from tests.lm.loopback_provider import completed, serving

LIMITS = Limits(max_attempts=3, first_backoff_s=0.001, timeout_s=5)


def always(body: dict[str, Any], time: int) -> tuple[int, Any]:
    return 200, completed(prompt_in(body))


def prompt_in(body: dict[str, Any]) -> str:
    return body["messages"][0]["content"]


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
    assert store.batches() == {}
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
    def sometimes(body: dict[str, Any], time: int) -> tuple[int, Any] | None:
        match prompt_in(body):
            case "late":
                return always(body, time) if time > 1 else (500, {"error": "busy"})
            case "empty":
                return 200, {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 0}}
            case "refused":
                return 400, {"error": "too long"}
            case "expired":
                return None
            case _:
                return always(body, time)

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
            patch.setattr("regraft.lm.client.provider.Provider.ended", killed)
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


def test_a_batch_is_not_started_twice_when_its_start_is_answered_badly(store: ResponseStore):
    with serving(always) as (endpoint, fake):
        fake.bad_starts = 1
        assert generate(endpoint, store, asked("a", "b")) == dict.fromkeys("ab", "stored")
    assert (len(fake.batches), fake.seen) == (1, dict.fromkeys("ab", 1))


@pytest.mark.parametrize("path", ["/files", "/batches", "/batches/batch-0"])
def test_an_answer_that_breaks_off_is_asked_for_again(store: ResponseStore, path: str):
    with serving(always) as (endpoint, fake):
        fake.cuts = [path]
        assert generate(endpoint, store, asked("a", "b")) == dict.fromkeys("ab", "stored")
    assert (fake.cuts, len(fake.batches), fake.seen) == ([], 1, dict.fromkeys("ab", 1))


def test_results_that_break_off_are_collected_by_the_next_run(store: ResponseStore):
    with serving(always) as (endpoint, fake):
        fake.cuts = ["/content"]
        with pytest.raises(RegraftError, match=r"/content broke off: .*The same command goes on"):
            generate(endpoint, store, asked("a", "b"))
        assert generate(endpoint, store, asked("a", "b")) == dict.fromkeys("ab", "stored")
    assert (len(fake.batches), fake.seen, store.spent_tokens()) == (1, dict.fromkeys("ab", 1), 60)


@pytest.mark.parametrize("status", [201, 202])
def test_any_success_will_do(store: ResponseStore, status: int):
    with serving(always) as (endpoint, fake):
        fake.success = status
        assert generate(endpoint, store, asked("a")) == {"a": "stored"}


def test_a_list_that_lags_pays_for_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    requests = asked("a", "b")

    async def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    with serving(always) as (endpoint, fake):
        with ResponseStore(tmp_path / "r.sqlite") as store, monkeypatch.context() as patch:
            patch.setattr("regraft.lm.client.responses.ResponseStore.batch_sent", killed)
            patch.setattr("regraft.lm.client.provider.Provider.ended", killed)
            with pytest.raises(KeyboardInterrupt):
                generate(endpoint, store, requests)
            assert list(store.batches().values()) == [""]
        fake.hidden = 2
        with ResponseStore(tmp_path / "r.sqlite") as store:
            assert generate(endpoint, store, requests) == dict.fromkeys("ab", "stored")
    assert (len(fake.batches), fake.seen) == (1, dict.fromkeys("ab", 1))


def test_a_batch_that_failed_as_a_whole_sticks_to_no_later_run(store: ResponseStore):
    requests = asked("a", "b")
    with serving(always) as (endpoint, fake):
        fake.failing = 3
        told = generate(endpoint, store, requests)
        assert (told, len(fake.batches)) == (dict.fromkeys("ab", "failed"), 3)
        assert store.batches() == {}
        assert generate(endpoint, store, requests) == dict.fromkeys("ab", "stored")
    assert store.spent_tokens() == 60


def test_the_key_is_quoted_by_no_error(store: ResponseStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REGRAFT_TEST_KEY", "s3cret")
    with serving(always) as (endpoint, fake):
        fake.says = (401, "bad key s3cret")
        keyed = Endpoint(base_urls=endpoint.base_urls, key_variable="REGRAFT_TEST_KEY")
        with pytest.raises(RegraftError, match=r"HTTP 401: bad key \*\*\*") as caught:
            generate(keyed, store, asked("a"))
    assert "s3cret" not in str(caught.value)


def test_what_is_no_provider_is_named(store: ResponseStore):
    with serving(always) as (endpoint, fake):
        fake.says = (200, "<html>")
        with pytest.raises(RegraftError, match=r"(?s)/files answered with no JSON object: <html>.*batch API"):
            generate(endpoint, store, asked("a"))


def test_an_answer_that_is_too_long_is_tried_again_and_the_others_are_kept(store: ResponseStore):
    def long(body: dict[str, Any], time: int) -> tuple[int, Any]:
        return 200, completed("x" * 10_000 if prompt_in(body) == "long" else "a")

    limits = Limits(max_attempts=2, first_backoff_s=0.001, timeout_s=5, max_answer_bytes=2000)
    with serving(long) as (endpoint, fake):
        told = generate(endpoint, store, asked("long", "a"), limits=limits)
    assert told == {"long": "failed", "a": "stored"}
    assert fake.seen == {"long": 2, "a": 1}


def test_a_kill_between_two_groups_of_results_charges_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def empty(body: dict[str, Any], time: int) -> tuple[int, Any]:
        return 200, {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 0}}

    settled: list[int] = []
    settle = ResponseStore.settle

    def once(store: ResponseStore, name: str, results: Any) -> None:
        if settled:
            raise KeyboardInterrupt
        settled.append(len(results))
        settle(store, name, results)

    limits = Limits(max_attempts=1, first_backoff_s=0.001, timeout_s=5)
    monkeypatch.setattr("regraft.lm.client.provider_batches.GROUP", 2)
    with serving(empty) as (endpoint, fake):
        with ResponseStore(tmp_path / "r.sqlite") as store, monkeypatch.context() as patch:
            patch.setattr(ResponseStore, "settle", once)
            with pytest.raises(KeyboardInterrupt):
                generate(endpoint, store, asked(*"abc"), limits=limits)
        with ResponseStore(tmp_path / "r.sqlite") as store:
            generate(endpoint, store, [], limits=limits)
            assert store.spent_tokens() == 3 * 5
    assert fake.seen == dict.fromkeys("abc", 1)
    assert fake.deleted == ["file-0"]
