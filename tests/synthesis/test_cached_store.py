import sqlite3
from pathlib import Path

import pytest

from regraft.lm.client.responses import Exchange, ResponseStore
from regraft.synthesis.cached_store import CachedStore


def exchange(key: str, failure: str = "") -> Exchange:
    return Exchange(
        key=key,
        model="m",
        request=b"{}",
        response=b"{}",
        status=200,
        failure=failure,
        prompt_tokens=1,
        completion_tokens=1,
        metered=True,
    )


def test_an_answer_is_in_the_cache_at_once_and_a_failure_never(tmp_path: Path):
    with CachedStore(tmp_path / "ledger", tmp_path / "cache" / "m") as store:
        store.add([exchange("a"), exchange("b", "no choices")])
        with ResponseStore(tmp_path / "cache" / "m") as cache:
            assert cache.answered() == {"a"}
    with CachedStore(tmp_path / "other", tmp_path / "cache" / "m") as other:
        assert other.find("a") is not None
        assert (other.num_answers(), other.spent_tokens()) == (0, 0)


def test_what_a_killed_run_bought_reaches_the_cache(tmp_path: Path):
    with ResponseStore(tmp_path / "ledger") as ledger:
        ledger.add(exchange(f"{number}") for number in range(1200))
    with CachedStore(tmp_path / "ledger", tmp_path / "m"), ResponseStore(tmp_path / "m") as cache:
        assert cache.num_answers() == 1200


def test_a_cache_that_is_locked_loses_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("regraft.lm.client.responses.BUSY_S", 0.05)
    with CachedStore(tmp_path / "ledger", tmp_path / "m") as store:
        other = sqlite3.connect(tmp_path / "m", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        store.add([exchange("a")])
        assert "not yet in the cache" in caplog.text
        assert store.find("a") is not None
        other.execute("ROLLBACK")
        other.close()
        store.add([exchange("b")])
    with ResponseStore(tmp_path / "m") as cache:
        assert cache.answered() == {"a", "b"}
