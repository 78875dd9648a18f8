import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from regraft.core import Action, ConfigError, Execution, Step, StepFailed, Store, StoreBusy, latest_run, plan, run
from regraft.core.lock import exclusive
from tests.core.stages import FailConfig, NumbersConfig, SumConfig, add_up, add_up_by_two, fail_halfway, write_numbers


def recipe(count: int = 3, factor: float = 1.0, label: str = "sum") -> list[Step[Any]]:
    a = write_numbers.step("a", NumbersConfig(count=count, factor=factor))
    b = write_numbers.step("b", NumbersConfig(count=2))
    return [add_up.step("total", SumConfig(label=label), numbers=[a, b])]


def actions(steps: list[Step[Any]], store: Store) -> dict[str, str]:
    return {p.step.name: p.action.value for p in plan(steps, store, Execution())}


def test_a_run_makes_all_and_a_second_one_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = run(recipe(), store, recipe="test")
    assert list(first.actions.values()) == ["make"] * 3
    assert store.resolve("total").file("sum.txt").read_text() == "sum 4.0\n"
    second = run(recipe(), store, recipe="test")
    assert set(second.actions.values()) == {"reuse"}
    assert second.steps == first.steps
    assert latest_run(store, "test") == first  # a run that made nothing leaves no record of its own


def test_a_changed_config_remakes_it_and_what_follows_and_says_why(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run(recipe(), store)
    planned = {p.step.name: p for p in plan(recipe(factor=2.0), store, Execution())}
    assert [planned[n].action for n in ("a", "b", "total")] == [Action.REMAKE, Action.REUSE, Action.REMAKE]
    assert planned["a"].reasons == ("config.factor 1 -> 2",)
    assert planned["total"].reasons == (f"input numbers is now {planned['a'].id} (a)",)
    assert planned["a"].summary == "3 numbers"


def test_means_that_will_not_do_are_told_before_anything_is_made(tmp_path: Path) -> None:
    store = Store(tmp_path)
    numbers = write_numbers.step("a", NumbersConfig(count=2))
    steps = [add_up_by_two.step("total", SumConfig(), numbers=numbers)]
    with pytest.raises(ConfigError, match=r"^step .total.: sum takes two workers"):
        run(steps, store, Execution(workers=1))
    assert actions(steps, store) == {"a": "make", "total": "make"}
    run(steps, store, Execution(workers=2))
    assert set(run(steps, store, Execution(workers=1)).actions.values()) == {"reuse"}  # which takes no means


def test_inputs_in_another_order_are_another_thing_and_the_plan_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    total = recipe()[0]
    run([total], store)
    a, b = total.inputs["numbers"]
    planned = plan([add_up.step("total", total.config, numbers=[b, a])], store, Execution())[-1]
    assert planned.action is Action.REMAKE
    assert planned.reasons == ("its inputs stand in another order",)


def test_means_are_no_identity(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run(recipe(), store)
    moved = Store((tmp_path / "store").parent.rename(tmp_path.with_name("moved")))
    other = Execution(device="cuda", workers=7, data_root=Path("/elsewhere"), cache=Path("/nowhere"))
    assert {p.action for p in plan(recipe(), moved, other)} == {Action.REUSE}


def test_a_failed_step_keeps_what_it_wrote_and_all_before_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    steps = [*recipe(), fail_halfway.step("bad", FailConfig())]
    with pytest.raises(
        StepFailed, match=r"step 'bad' failed: RuntimeError: boom\nWhat it wrote is kept in .*\.failed-"
    ):
        run(steps, store)
    kept = next(tmp_path.glob(".failed-fail_halfway-*"))
    assert (kept / "half.txt").read_text() == "half"
    assert "RuntimeError: boom" in (kept / "error.txt").read_text()
    assert actions(steps, store) == {"a": "reuse", "b": "reuse", "total": "reuse", "bad": "make"}


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"the disk is full \(.*bytes free\)\. Free some space and run again"):
        run([fail_halfway.step("bad", FailConfig(error="disk full"))], Store(tmp_path))


def test_a_full_disk_is_recognised_by_its_words(tmp_path: Path) -> None:
    """The libraries that write checkpoints raise errors of their own, which are no OSError."""
    error = "Error while serializing: I/O error: No space left on device (os error 28)"
    with pytest.raises(StepFailed, match="the disk is full"):
        run([fail_halfway.step("bad", FailConfig(error=error))], Store(tmp_path))


def test_scratch_left_by_a_kill_after_the_end_is_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record = run(recipe(), store)
    left = store.scratch(record.steps["a"])
    left.mkdir(parents=True)
    run(recipe(), store)
    assert not left.exists()


def test_a_step_that_another_process_makes_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    planned = plan(recipe(), store, Execution())[0]
    with (
        exclusive(store.lock(planned.id), "x"),
        pytest.raises(StoreBusy, match=rf"being made by process {os.getpid()} on"),
    ):
        run(recipe(), store)
    run(recipe(), store)


def test_kill_9_and_again_gives_the_same_artifact(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from regraft.core import *\n"
        "from tests.core.test_runner import recipe; run(recipe(count=60), Store(Path(sys.argv[1])))"
    )
    environment = {**os.environ, "REGRAFT_TEST_PAUSE": "0.05"}
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "killed")], env=environment)
    store, whole = Store(tmp_path / "killed"), Store(tmp_path / "whole")
    part = store.scratch(plan(recipe(count=60), store, Execution())[0].id) / "numbers.txt"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.read_text().count("\n") > 5) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert actions(recipe(count=60), store)["a"] == "continue"
    run(recipe(count=60), store)
    run(recipe(count=60), whole)
    resumed = store.resolve("a")
    assert int(resumed.manifest.metrics["continued_at"] or 0) > 5
    assert {a.id: a.manifest.content_digest for a in store.artifacts()} == {
        a.id: a.manifest.content_digest for a in whole.artifacts()
    }
    assert not list(store.root.glob(".tmp-*"))
    assert not any((store.root / ".scratch").iterdir())


def test_the_golden_identity_of_a_step(tmp_path: Path) -> None:
    """Identities on users' disks depend on this: raise artifact.FORMAT when it has to change."""
    assert (
        plan(recipe(), Store(tmp_path), Execution())[-1].fingerprint
        == "c147f187b807d37d6b37333da2dd7ecb2038526b2d49073f6b7de65dfb52f979"
    )
