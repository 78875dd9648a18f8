"""Several processes: the same data in the same order, the same losses, kills and signals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from regraft.core import Artifact, ConfigError, Execution, Interrupted, StepFailed, Store, plan, run
from regraft.corpus import tables
from regraft.recipes.find import find_recipe
from tests.training.conftest import training

ONE: dict[str, Any] = {"workers": 1, "checkpoint_seconds": 0, "sequences_per_batch": 1, "compile": "off"}
TWO: dict[str, Any] = {**ONE, "launcher": "torchrun --nproc-per-node 2"}
FSDP: dict[str, Any] = {**TWO, "parallel": "fsdp"}
OPEN_LOOP: dict[str, Any] = {"num_decisions": 0}
"""Losses differ by rounding between layouts, and so may decisions that are made of them."""


def made(folder: Path, means: dict[str, Any], **changes: Any) -> Artifact:
    store = Store(folder)
    run([training(**changes)], store, Execution(**means))
    return store.resolve("train")


def column(artifact: Artifact, name: str) -> list[Any]:
    return tables.read(artifact.file(tables.STEPS_FILE), tables.STEPS)[name].to_pylist()


def served(artifact: Artifact) -> list[Any]:
    return tables.read(artifact.file(tables.SERVED_FILE), tables.SERVED).to_pylist()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return made(tmp_path_factory.mktemp("alone"), ONE)


def begun(folder: Path, means: dict[str, Any], **changes: Any) -> tuple["subprocess.Popen[bytes]", Path]:
    """Start a training in processes of its own; return the outermost one and the folder of checkpoints."""
    code = (
        "import sys, json; from pathlib import Path; from regraft.core import Execution, Store, run\n"
        "from tests.training.conftest import training\n"
        "run([training(**json.loads(sys.argv[3]))], Store(Path(sys.argv[1])), Execution(**json.loads(sys.argv[2])))"
    )
    command = [sys.executable, "-c", code, str(folder), json.dumps(means), json.dumps(changes)]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    scratch = Store(folder).scratch(plan([training(**changes)], Store(folder), Execution())[-1].id)
    return child, scratch / "checkpoints"


def reached(checkpoints: Path, step: int) -> bool:
    return any(int(p.name[-9:]) >= step for p in checkpoints.glob("*-0*"))


def wait_for(child: "subprocess.Popen[bytes]", checkpoints: Path, step: int) -> None:
    deadline = time.monotonic() + 200
    while not reached(checkpoints, step) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    assert child.poll() is None, "it ended before that step"


def workers_of(scratch: Path) -> list[int]:
    """Return the processes that were started for the job of a scratch, the launcher included."""
    job = str(scratch / "job.pickle")
    found: list[int] = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and job in (process / "cmdline").read_text("utf-8").split("\0"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def kill_all(child: "subprocess.Popen[bytes]", scratch: Path) -> None:
    child.send_signal(signal.SIGKILL)
    child.wait()
    for process in sorted(workers_of(scratch)):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.fixture(scope="module")
def undecided(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return made(tmp_path_factory.mktemp("undecided"), ONE, **OPEN_LOOP)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return made(tmp_path_factory.mktemp("twins"), TWO)


def test_two_processes_that_replicate_train_as_one(alone: Artifact, twins: Artifact) -> None:
    """Two sequences a step: a sum of two is the same in either order, so nothing differs by a bit."""
    assert twins.manifest.content_digest == alone.manifest.content_digest


@pytest.mark.slow
def test_two_processes_that_share_the_model_train_as_one(undecided: Artifact, tmp_path: Path) -> None:
    sharded = made(tmp_path, FSDP, **OPEN_LOOP)
    assert served(sharded) == served(undecided)
    for name, tolerance in (("loss", 1e-5), ("gradient_norm", 1e-4)):
        assert column(sharded, name) == pytest.approx(column(undecided, name), rel=tolerance)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_kill_9_of_two_processes_and_again_gives_the_same_bytes(tmp_path: Path, parallel: str) -> None:
    means = {**TWO, "parallel": parallel}
    straight = made(tmp_path / "straight", means)
    child, checkpoints = begun(tmp_path / "killed", means)
    wait_for(child, checkpoints, 5)
    kill_all(child, checkpoints.parent)
    assert made(tmp_path / "killed", means).manifest.content_digest == straight.manifest.content_digest


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("first", "then"), [(TWO, ONE), (ONE, FSDP), (FSDP, TWO)])
def test_another_number_of_processes_continues_with_the_same_data(
    undecided: Artifact, tmp_path: Path, first: dict[str, Any], then: dict[str, Any]
) -> None:
    child, checkpoints = begun(tmp_path, first, **OPEN_LOOP)
    wait_for(child, checkpoints, 6)
    kill_all(child, checkpoints.parent)
    assert any(checkpoints.glob("step-*"))
    other = made(tmp_path, then, **OPEN_LOOP)
    assert served(other) == served(undecided)
    assert column(other, "loss") == pytest.approx(column(undecided, "loss"), rel=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("means", [ONE, TWO])
def test_sigterm_saves_and_ends_and_the_same_command_continues(
    alone: Artifact, tmp_path: Path, means: dict[str, Any]
) -> None:
    rarely = {**means, "checkpoint_seconds": 3600}
    child, checkpoints = begun(tmp_path, rarely)
    deadline = time.monotonic() + 200
    while not (checkpoints.exists() and _trains(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGTERM)
    assert child.wait(60) == 1  # the traceback of Interrupted; the command line says it in words
    assert any(checkpoints.glob("step-*"))
    assert not workers_of(checkpoints.parent)
    assert made(tmp_path, means).manifest.content_digest == alone.manifest.content_digest


def _trains(folder: Path) -> bool:
    return any(folder.glob(".tmp-train-*"))


def test_a_process_that_cannot_start_is_shown_with_its_words(tmp_path: Path) -> None:
    launcher = f"{sys.executable} -c \"print('no such host'); raise SystemExit(3)\" --"
    with pytest.raises(StepFailed, match=r"(?s)ended with status 3.*no such host"):
        made(tmp_path, {**ONE, "launcher": launcher})


def test_an_error_of_the_training_comes_through_the_launcher(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="asks for 400 sequences and the sources hold"):
        made(tmp_path, {**ONE, "launcher": sys.executable}, tokens=200 * 2 * 64)


def test_a_config_from_a_recipe_file_reaches_the_processes(tmp_path: Path) -> None:
    """They cannot import the module of its classes, which was loaded by its path."""
    recipe = tmp_path / "mine.py"
    recipe.write_text(
        "from dataclasses import dataclass\nfrom tests.training.conftest import training\n\n"
        "@dataclass(frozen=True, slots=True, kw_only=True)\nclass Mine:\n    rate: float = 0.01\n\n"
        "    def learning_rate(self, consumed: int, budget: int) -> float:\n        return self.rate\n\n"
        "def mine():\n    return [training(schedule=Mine(), num_decisions=0, tokens=2 * 2 * 64)]\n"
    )
    store = Store(tmp_path / "store")
    means: dict[str, Any] = {**ONE, "launcher": sys.executable}
    run(find_recipe(f"{recipe}:mine")(), store, Execution(**means))
    assert column(store.resolve("train"), "learning_rate") == [0.01, 0.01]


@pytest.mark.parametrize(("launcher", "said"), [("  ", "no command"), ("a 'b", "quotes must be closed")])
def test_a_launcher_that_is_no_command_is_refused(launcher: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Execution(launcher=launcher)


def test_a_launcher_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"launcher 'no-such-launcher --x' cannot be started: .*No such file"):
        made(tmp_path, {**ONE, "launcher": "no-such-launcher --x"})


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_processes_that_outlive_the_start_save_and_end_before_the_next(alone: Artifact, tmp_path: Path) -> None:
    """Only the one that waits is killed; the next start tells its processes to end, and waits for them."""
    child, checkpoints = begun(tmp_path, TWO)
    wait_for(child, checkpoints, 3)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert workers_of(checkpoints.parent)
    assert made(tmp_path, ONE).manifest.content_digest == alone.manifest.content_digest
    deadline = time.monotonic() + 60
    while workers_of(checkpoints.parent) and time.monotonic() < deadline:
        time.sleep(0.1)  # the launcher itself ends last, and writes nothing
    assert not workers_of(checkpoints.parent)


def test_interrupted_is_no_error() -> None:
    assert not issubclass(Interrupted, Exception)
