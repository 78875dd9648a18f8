import logging
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from regraft.core import Context, Execution, RegraftError
from regraft.corpus.work import Counts, Lifeline, each, gather


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
        if item == 1 and not self.marker.exists():
            self.marker.touch()
            os._exit(9)
        return {"item": item}


@dataclass(frozen=True, slots=True)
class AlwaysDies:
    def __call__(self, item: int, out: Path) -> Counts:
        os._exit(9)


@dataclass(frozen=True, slots=True)
class DiesElsewhere:
    """Ends its process at another place each time, as one that is short of memory does."""

    log: Path

    def __call__(self, item: int, out: Path) -> Counts:
        with self.log.open("a") as file:
            file.write("x")
        Lifeline(out).say(self.log.stat().st_size)
        os._exit(9)


@dataclass(frozen=True, slots=True)
class Waits:
    """Takes its time, or fails at once below zero."""

    def __call__(self, item: float, out: Path) -> Counts:
        import time

        if item < 0:
            raise RegraftError("a task failed")
        time.sleep(item)
        return {"at": time.monotonic()}


two_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="Daft works at one task at a time here")


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


def test_workers_that_die_at_one_place_after_another_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegraftError, match=r"b: .*first at the documents \[2, 3, 4\], then at 5"):
        each(DiesElsewhere(tmp_path / "log"), {"b": 0}, context(tmp_path), "work", isolated=True)


def test_a_piece_at_which_a_run_was_killed_is_done_in_a_process_of_its_own(tmp_path: Path) -> None:
    ctx = context(tmp_path, workers=1)
    (ctx.scratch / "work" / "b.12345678.part").mkdir(parents=True)
    done = each(DiesOnce(tmp_path / "marker"), {"a": 0, "b": 1}, ctx, "work")  # would end this process
    assert [piece.counts["item"] for piece in done.values()] == [0, 1]


@two_cores
def test_a_long_piece_holds_up_no_other(tmp_path: Path) -> None:
    items = {"long": 3.0, **{f"{n}": 0.01 for n in range(8)}}
    done = each(Waits(), items, context(tmp_path), "wait", isolated=True)
    assert all(done[f"{n}"].counts["at"] < done["long"].counts["at"] for n in range(8))


@two_cores
def test_a_failed_piece_ends_the_others_and_the_process_in_order(tmp_path: Path) -> None:
    """The interpreter ends with the status of the error, not by a signal, and no worker is waited for."""
    code = f"""
from pathlib import Path
from tests.corpus.test_work import Waits, context, each
each(Waits(), {{"a": 0.5, "b": 60.0, "c": -1.0}}, context(Path({str(tmp_path)!r})), "wait", isolated=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        1,
        [f"{RegraftError.__module__}.RegraftError: a task failed", "in c"],
    )


def test_workers_that_die_while_they_start_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(RegraftError, match="A worker process ended on its own"):
        each(Waits(), {"a": 0.0, "b": 0.0}, context(tmp_path), "wait", isolated=True)


def test_two_files_of_one_name_are_an_error(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    done = each(Double(tmp_path / "log"), {"a": 1, "b": 1}, ctx, "double")
    with pytest.raises(FileExistsError):
        gather(done, ctx.out)


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
