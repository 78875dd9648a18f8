"""What outlives a start of a training: signals that come late, files, and processes that still run."""

import logging
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from regraft.core import Interrupted, RegraftError, Store, plan, run
from regraft.training.control import LOCK, STOP, alone, new_control, stop_earlier, tell
from regraft.training.launch import _result, result_of
from regraft.training.signals import PATIENCE_SECONDS, Stop, stop_on_signal
from regraft.training.worker import _ended
from tests.training.conftest import training
from tests.training.test_train import ONE

LOG = logging.getLogger("regraft.test")


def test_each_start_speaks_to_its_own_processes(tmp_path: Path) -> None:
    old, new = new_control(tmp_path), new_control(tmp_path)
    tell(old, "1")
    orphan = Stop(old)
    assert not orphan.asked()
    tell(new, "1")
    assert not orphan.asked()
    new.unlink()
    stop_earlier(tmp_path)
    assert orphan.asked()
    assert not Stop(new).asked()


def test_a_beat_that_changes_no_more_is_a_death(tmp_path: Path) -> None:
    control = new_control(tmp_path)
    tell(control, "7")
    worker = Stop(control)
    assert not worker.asked()
    worker.since -= PATIENCE_SECONDS + 1
    tell(control, "8")
    assert not worker.asked()
    worker.since -= PATIENCE_SECONDS + 1
    assert worker.asked()
    assert "death" in worker.by


def test_a_training_in_this_process_heeds_no_file_of_an_earlier_launcher(tmp_path: Path) -> None:
    store = Store(tmp_path)
    scratch = store.scratch(plan([training()], store, ONE)[-1].id)
    scratch.mkdir(parents=True)
    tell(new_control(scratch), STOP)
    (scratch / "control").write_text(STOP)
    run([training()], store, ONE)
    assert store.resolve("train").manifest.metrics["steps"] == 12


def test_a_training_waits_for_processes_that_still_write(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    code = (
        "import fcntl, sys, time; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True); time.sleep(1)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / LOCK)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with alone(tmp_path, LOG):
        assert holder.poll() is not None or not holder.wait(5)
    assert "still run" in caplog.text


def test_a_signal_that_comes_when_all_is_done_ends_the_run_too() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="SIGTERM"), stop_on_signal():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_error_is_told_even_where_a_signal_came_too() -> None:
    def fails() -> None:
        with stop_on_signal():
            signal.raise_signal(signal.SIGTERM)
            raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        fails()


def test_the_first_process_that_fails_says_why(tmp_path: Path) -> None:
    """The others then fail because it is gone."""
    file, output = result_of(new_control(tmp_path)), tmp_path / "processes.log"
    output.write_text("last words")
    assert _ended(file, 1, failed="OSError: [Errno 28] No space left on device") == 1
    _ended(file, 1, failed="RuntimeError: Connection closed by peer")
    with pytest.raises(RegraftError, match=r"(?s)No space left on device.*ended with status 1:.*last words"):
        _result(file, output, 1)
    assert [path.suffix for path in tmp_path.iterdir() if "result" in path.name] == [".json"]
