"""How many requests are in flight, and where they go."""

import asyncio
import time

from regraft.lm.client.chat import ChatRequest, Message, Usage
from regraft.lm.client.limits import Limits
from regraft.lm.client.pace import SUCCESSES, Change, Pace
from regraft.lm.client.routes import FAILURES, Routes

REQUEST = ChatRequest(model="m", messages=(Message(role="user", content="q"),), max_tokens=10)


def pace(concurrency: int = 100) -> Pace:
    return Pace(Limits(concurrency=concurrency), Change())


def test_overload_counts_once_for_all_that_were_in_flight_together() -> None:
    found, sent_at = pace(), time.monotonic()
    for _ in range(64):
        found.heed(True, 0.0, sent_at)
    assert found.allowed == 48
    found.heed(True, 0.0, time.monotonic())
    assert found.allowed == 36
    for _ in range(100):
        found.heed(True, 0.0, time.monotonic())
    assert found.allowed == 1


def answered(found: Pace, times: int) -> float:
    """Return how many may be in flight after so many answers."""
    for _ in range(times):
        found.succeeded(REQUEST, Usage(prompt_tokens=1, completion_tokens=1))
    return found.allowed


def test_until_an_endpoint_is_overloaded_each_answer_lets_one_more_enter_up_to_the_cap() -> None:
    found = pace(concurrency=200)
    assert [answered(found, 1), answered(found, 63), answered(found, 200)] == [65, 128, 200]


def test_afterwards_it_takes_many_answers() -> None:
    found = pace(concurrency=50)
    found.heed(True, 0.0, time.monotonic())
    assert found.allowed == 37.5
    assert [answered(found, SUCCESSES - 1), answered(found, 1)] == [37.5, 38.5]
    assert answered(found, 100 * SUCCESSES) == 50


def test_no_more_enter_than_are_allowed_until_one_leaves() -> None:
    async def tried() -> tuple[bool, bool, bool]:
        found = pace(concurrency=2)
        await found.enter()
        await found.enter()
        third = asyncio.ensure_future(found.enter())
        await asyncio.sleep(0.01)
        before = third.done()
        found.leave()
        entered = await third
        fourth = asyncio.ensure_future(found.enter())
        await asyncio.sleep(0.01)
        found.close()
        return before, entered, await fourth

    assert asyncio.run(tried()) == (False, True, False)


def test_what_the_endpoint_asks_for_is_waited_within_our_bound() -> None:
    found = Pace(Limits(max_retry_after_s=5), Change())
    found.heed(False, 1e9, time.monotonic())
    assert 4 < found.wait_s <= 5


def test_requests_go_where_fewest_are_and_not_to_a_server_that_fails() -> None:
    routes = Routes(["a", "b"])
    assert [routes.take() for _ in range(4)] == ["a", "b", "a", "b"]
    for _ in range(2):
        routes.give("a", works=True)
        routes.give("b", works=True)
    for _ in range(FAILURES):
        assert routes.take() == "a"
        routes.give("a", works=False)
    assert [routes.take() for _ in range(3)] == ["b", "b", "b"]
    for _ in range(FAILURES):
        routes.give("b", works=False)
    assert routes.take() in ("a", "b")  # all rest: somebody has to be asked
