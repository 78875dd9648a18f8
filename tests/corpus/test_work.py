import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from regraft.core import Context, Execution, RegraftError
from regraft.corpus.work import Counts, each, gather


@dataclass(frozen=True, slots=True)
class Double:
    """Writes a number twice, and its name into a list of what was done; raises below zero."""

    log: Path

    def __call__(self, item: int, out: Path) -> Counts:
        if item < 0:
            raise RegraftError(f"{item} is negative")
        (out / "numbers").mkdir()
        (out / "numbers" / f"{item}.txt").write_text(f"{item * 2}")
        with self.log.open("a") as file:
            file.write(f"{item}\n")
        return {"doubled": item * 2}


@dataclass(frozen=True, slots=True)
class DiesOnce:
    """Ends its process the first time."""

    marker: Path

    def __call__(self, item: int, out: Path) -> Counts:
        import os

        if item == 1 and not self.marker.exists():
            self.marker.touch()
            os._exit(9)
        return {"item": item}


@dataclass(frozen=True, slots=True)
class AlwaysDies:
    def __call__(self, item: int, out: Path) -> Counts:
        import os

        os._exit(9)


def context(root: Path, workers: int = 2) -> Context:
    out, scratch = root / "out", root / "scratch"
    out.mkdir(parents=True, exist_ok=True)
    return Context(out=out, scratch=scratch, execution=Execution(workers=workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_is_done_and_gathered(tmp_path: Path, workers: int) -> None:
    ctx = context(tmp_path, workers)
    done = each(Double(tmp_path / "log"), {f"{n:03}": n for n in range(7)}, ctx, "double")
    assert [piece.counts["doubled"] for piece in done.values()] == [0, 2, 4, 6, 8, 10, 12]
    gather(done, ctx.out)
    assert [(ctx.out / "numbers" / f"{n}.txt").read_text() for n in range(7)] == [str(2 * n) for n in range(7)]


def test_what_is_committed_is_not_done_again(tmp_path: Path) -> None:
    work, ctx = Double(tmp_path / "log"), context(tmp_path, workers=1)
    items = {"a": 1, "b": 2, "c": -3}
    with pytest.raises(RegraftError, match="-3 is negative"):
        each(work, items, ctx, "double")
    shutil.rmtree(ctx.scratch / "double" / "b")
    (ctx.scratch / "double" / "b.12345678.part").mkdir()  # as a kill leaves it
    done = each(work, {**items, "c": 3}, ctx, "double")
    assert [piece.counts["doubled"] for piece in done.values()] == [2, 4, 6]
    assert sorted((tmp_path / "log").read_text().split()) == ["1", "2", "2", "3"]


def test_what_work_raises_comes_back_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(RegraftError, match="-1 is negative") as raised:
        each(Double(tmp_path / "log"), {"a": -1, "b": -1}, context(tmp_path), "double", isolated=True)
    assert raised.value.__notes__ in (["in a"], ["in b"])


def test_a_worker_that_dies_once_costs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        done = each(DiesOnce(tmp_path / "marker"), {"a": 0, "b": 1, "c": 2}, context(tmp_path), "work", isolated=True)
    assert [piece.counts["item"] for piece in done.values()] == [0, 1, 2]
    assert "A worker process ended on its own" in caplog.text


def test_a_worker_that_cannot_say_where_it_dies_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegraftError, match="b: a worker process died on it and cannot say where"):
        each(AlwaysDies(), {"b": 0}, context(tmp_path), "work", isolated=True)


def test_two_attempts_at_a_piece_do_not_meet(tmp_path: Path) -> None:
    """The worker of a killed run may still be at work when the next run does the same piece."""
    ctx = context(tmp_path)
    stale = ctx.scratch / "double" / "a.0badcafe.part"
    stale.mkdir(parents=True)
    (stale / "half").write_text("written")
    assert each(Double(tmp_path / "log"), {"a": 4}, ctx, "double")["a"].counts == {"doubled": 8}
    assert (stale / "half").exists()
    with pytest.raises(OSError, match=r"not empty|exists"):
        stale.rename(ctx.scratch / "double" / "a")
