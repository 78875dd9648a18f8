from pathlib import Path

from regraft.lm.client.responses import Exchange, ResponseStore
from regraft.synthesis.generation import CachedStore


def exchange(key: str, failure: str = "") -> Exchange:
    return Exchange(
        key=key,
        model="m",
        request=b"{}",
        response=b"{}",
        status=200,
        failure=failure,
        prompt_tokens=1,
        completion_tokens=2,
        metered=True,
    )


def test_an_answer_of_one_step_is_found_by_another_and_costs_it_nothing(tmp_path: Path):
    cache = tmp_path / "cache" / "m.sqlite"
    with CachedStore(tmp_path / "a.sqlite", cache) as first:
        first.add([exchange("k"), exchange("bad", failure="no choices")])
        assert first.spent_tokens() == 6
    with CachedStore(tmp_path / "b.sqlite", cache) as second:
        assert second.find("k") == exchange("k")
        assert second.find("bad") is None
        assert (second.spent_tokens(), second.num_answers()) == (0, 0)


def test_what_a_kill_kept_from_the_cache_is_there_after_the_next_run(tmp_path: Path):
    with ResponseStore(tmp_path / "a.sqlite") as killed:
        killed.add([exchange("k")])
    cache = tmp_path / "m.sqlite"
    CachedStore(tmp_path / "a.sqlite", cache).close()
    with CachedStore(tmp_path / "b.sqlite", cache) as other:
        assert other.find("k") == exchange("k")
