import logging
import os
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from regraft.core import ConfigError
from regraft.training import tracking
from regraft.training.trackers import Told
from regraft.training.tracking import Trackers, open_trackers

LOG = logging.getLogger("regraft.test")


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return what TensorBoard shows of a run: by name, steps and values."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_tensorboard_shows_what_was_told(tmp_path):
    pytest.importorskip("tensorboard")
    trackers = open_trackers(["tensorboard"], tmp_path, "train-1", 1, LOG)
    for step in (1, 2):
        trackers.log(step, {"loss": 3.0 - step, "learning_rate": 0.1})
    trackers.event(2, "guarded")
    trackers.close()
    shown = scalars(tmp_path / "tensorboard/train-1")
    assert shown["loss"] == [(1, 2.0), (2, 1.0)]
    assert shown["learning_rate"] == [(1, pytest.approx(0.1)), (2, pytest.approx(0.1))]


def test_tensorboard_voids_steps_that_are_told_again(tmp_path):
    pytest.importorskip("tensorboard")
    killed = open_trackers(["tensorboard"], tmp_path, "train-1", 1, LOG)
    for step in range(1, 6):
        killed.log(step, {"loss": 10.0 + step})  # never closed: as a kill leaves it
    again = open_trackers(["tensorboard"], tmp_path, "train-1", 4, LOG)
    for step in (4, 5, 6):
        again.log(step, {"loss": 20.0 + step})
    again.close()
    told = [(1, 11), (2, 12), (3, 13), (4, 24), (5, 25), (6, 26)]
    assert scalars(tmp_path / "tensorboard/train-1")["loss"] == told


def test_tensorboard_voids_what_a_roll_back_gave_up(tmp_path):
    pytest.importorskip("tensorboard")
    trackers = open_trackers(["tensorboard"], tmp_path, "train-1", 0, LOG)
    for step, loss in ((0, 5), (1, 4), (2, 9), (3, 99)):
        trackers.log(step, {"loss": loss})
    trackers.event(1, "rolled back")
    for step, loss in ((2, 3), (3, 2), (4, 1)):
        trackers.log(step, {"loss": loss})
    trackers.close()
    assert scalars(tmp_path / "tensorboard/train-1")["loss"] == [(0, 5), (1, 4), (2, 3), (3, 2), (4, 1)]


def test_a_step_is_told_in_parts_and_each_part_once(tmp_path):
    told = Told(tmp_path / "told")
    assert told.new(0, {"held_out": 3.0}) == {"held_out": 3.0}
    assert told.new(1, {"loss": 2.0}) == {"loss": 2.0}
    again = Told(tmp_path / "told")  # after a kill in the middle of step 1
    assert again.new(0, {"held_out": 3.0}) == again.new(1, {"loss": 2.0}) == {}
    assert again.new(1, {"held_out": 1.0}) == {"held_out": 1.0}
    assert again.new(2, {"loss": 1.0}) == {"loss": 1.0}


SESSION = """
    import logging, sys
    from pathlib import Path
    from regraft.training.tracking import open_trackers
    name, folder, first, last = sys.argv[1:]
    trackers = open_trackers([name], Path(folder), "train-1", int(first), logging.getLogger("test"))
    for step in range(int(first), int(last) + 1):
        trackers.log(step, {"loss": float(step)})
        trackers.log(step, {"held_out": float(step)})
    trackers.event(int(last), "guarded")
    trackers.close()
"""
READ_TRACKIO = """
    import os, sys
    os.environ["TRACKIO_DIR"] = sys.argv[1]
    from trackio.sqlite_storage import SQLiteStorage
    rows = SQLiteStorage.get_logs("regraft", "train-1")
    print([(row["step"], row[name]) for name in ("loss", "held_out") for row in rows if name in row])
"""


def in_own_process(script: str, *words: object, **environment: str) -> str:
    """Run a script as a training would be: these tools write until their process ends. Return what it printed."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, words)]
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", **environment}
    done = subprocess.run(command, capture_output=True, text=True, env=settings, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a wandb file: a header of 7 bytes, then a log as LevelDB writes it, in blocks of 32 KiB."""
    at, whole = 7, b""
    while at + 7 <= len(data):
        if 0x8000 - at % 0x8000 < 7:
            at += 0x8000 - at % 0x8000  # the rest of a block is too short for a header
        length, kind = struct.unpack_from("<HB", data, at + 4)
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield whole
            whole = b""


def wandb_rows(folder: Path, name: str) -> list[tuple[int, float]]:
    """Return step and figure as all offline runs were told them, in order of the runs."""
    pb = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    rows: list[tuple[int, float]] = []
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        for data in records(path.read_bytes()):
            history = pb.Record.FromString(data).history
            told = {item.key or "/".join(item.nested_key): item.value_json for item in history.item}
            if name in told:
                rows.append((int(told["_step"]), float(told[name])))
    return rows


def test_wandb_works_offline_and_keeps_no_key(tmp_path):
    pytest.importorskip("wandb")
    key = "k" * 40
    for first, last in ((1, 3), (3, 4)):  # the third step is told again after a kill
        in_own_process(SESSION, "wandb", tmp_path, first, last, WANDB_MODE="offline", WANDB_API_KEY=key)
    for name in ("loss", "held_out"):
        assert wandb_rows(tmp_path / "wandb", name) == [(i, float(i)) for i in (1, 2, 3, 4)]
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in written if key.encode() in path.read_bytes()]


def test_trackio_keeps_each_step_once(tmp_path):
    pytest.importorskip("trackio")
    for first, last in ((1, 3), (3, 5)):
        assert in_own_process(SESSION, "trackio", tmp_path, first, last) == ""
    assert in_own_process(READ_TRACKIO, tmp_path / "trackio") == str([(i, float(i)) for i in (1, 2, 3, 4, 5)] * 2)


def test_two_runs_in_one_folder_are_told_apart(tmp_path):
    pytest.importorskip("trackio")
    other = SESSION.replace("train-1", "train-2")
    assert in_own_process(SESSION, "trackio", tmp_path, 1, 5) == in_own_process(other, "trackio", tmp_path, 1, 3) == ""
    read = READ_TRACKIO.replace("train-1", "train-2")
    assert in_own_process(read, tmp_path / "trackio") == str([(i, float(i)) for i in (1, 2, 3)] * 2)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=r"pip install 'regraft\[wandb\]'"):
        open_trackers(["wandb"], tmp_path, "train-1", 1, LOG)


def test_a_tracker_that_cannot_be_opened_is_left_out_and_said(tmp_path, monkeypatch, caplog):
    def fails(*given):
        raise OSError("no network")

    monkeypatch.setitem(tracking._OPEN, "wandb", fails)
    with caplog.at_level(logging.WARNING, LOG.name):
        trackers = open_trackers(["wandb", "tensorboard"], tmp_path, "train-1", 1, LOG)
    trackers.close()
    assert list(trackers.by_name) == ["tensorboard"]
    assert "wandb is told nothing: it cannot be opened: OSError: no network" in caplog.text


def test_a_note_that_a_power_failure_emptied_counts_as_none(tmp_path):
    (tmp_path / "run.told").write_text("")
    assert Told(tmp_path / "run.told").new(3, {"loss": 1.0}) == {"loss": 1.0}


class Failing:
    def log(self, step, figures):
        raise OSError("disk full")

    def event(self, step, text):
        raise AssertionError("is told nothing more")

    def close(self):
        raise AssertionError("is told nothing more")


def test_a_tracker_that_fails_is_left_out_and_said(caplog):
    trackers = Trackers({"failing": Failing()}, LOG)
    with caplog.at_level(logging.WARNING, LOG.name):
        trackers.log(1, {"loss": 1.0})
    trackers.event(1, "x")
    trackers.close()
    assert "failing is told nothing more: OSError: disk full" in caplog.text
