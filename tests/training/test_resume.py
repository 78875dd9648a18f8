"""What a training that was killed between two checkpoints continues with: mean weights, and figures in TensorBoard."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from regraft.core import Artifact, Execution, Store, run
from regraft.corpus import tables
from tests.training.conftest import averaging
from tests.training.test_tracking import scalars

MEANS = Execution(workers=1, checkpoint_seconds=1e9, sequences_per_batch=1, compile="off")
KILLED = """
import os, sys, time
from dataclasses import replace
from pathlib import Path
from regraft.core import Store, run
from regraft.training.averaging import WeightAverage
from tests.training.conftest import averaging
from tests.training.test_resume import MEANS

root, last, trackers = Path(sys.argv[1]), int(sys.argv[2]), tuple(sys.argv[3:])
update = WeightAverage.update

def update_and_die(self, step, consumed):
    update(self, step, consumed)
    if step == last:
        while step > 4 and not list(root.glob("store/.scratch/*/checkpoints/step-000000004")):
            time.sleep(0.01)
        os._exit(9)

WeightAverage.update = update_and_die
run([averaging()], Store(root / "store"), replace(MEANS, trackers=trackers, tracking=root / "tracking"))
"""


def killed_and_resumed(root: Path, last: int, *trackers: str) -> Artifact:
    """Return a training that died in step `last`, in another process, and was started again."""
    child = subprocess.run([sys.executable, "-c", KILLED, str(root), str(last), *trackers], check=False)
    assert child.returncode == 9
    store = Store(root / "store")
    run([averaging()], store, replace(MEANS, trackers=trackers, tracking=root / "tracking"))
    return store.resolve("train")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    store = Store(tmp_path_factory.mktemp("straight"))
    run([averaging()], store, MEANS)
    return store.resolve("train")


@pytest.mark.parametrize("last", [3, 7])
def test_mean_weights_and_figures_are_those_of_an_undisturbed_training(
    straight: Artifact, tmp_path: Path, last: int
) -> None:
    """Killed before the first checkpoint, and between the first and the second."""
    pytest.importorskip("tensorboard")
    resumed = killed_and_resumed(tmp_path, last, "tensorboard")
    weights = [a.file("model/model.safetensors").read_bytes() for a in (resumed, straight)]
    assert weights[0] == weights[1]
    assert resumed.manifest.content_digest == straight.manifest.content_digest
    shown = scalars(tmp_path / "tracking/tensorboard" / resumed.id)
    losses = tables.read(straight.file(tables.STEPS_FILE), tables.STEPS)["loss"].to_pylist()
    assert shown["train/loss"] == [(step, pytest.approx(loss)) for step, loss in enumerate(losses, start=1)]
    assert [step for step, _ in shown["held_out/zh/web-zh/gardens"]] == [0, 4, 8, 12]
    assert [step for step, _ in shown["shares/zh/web-zh/gardens"]] == [0, 4, 8]
