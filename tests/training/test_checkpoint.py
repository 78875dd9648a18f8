"""Checkpoints: whole or not there, checked when they are read, and those that stay."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch

from regraft.core import RegraftError
from regraft.training.checkpoint import LATEST, SUMS, TENSORS, Checkpoints
from regraft.training.parallel import Ranks
from tests.training.conftest import flip_byte

ALONE = Ranks(0, 1, torch.device("cpu"))


def opened(folder: Path) -> Checkpoints:
    return Checkpoints(scratch=folder, ranks=ALONE, log=logging.getLogger("regraft.test"))


def written(folder: Path, *steps: int, keep: int = 0) -> Checkpoints:
    checkpoints = opened(folder)
    checkpoints.keep = {keep}
    for step in steps:
        checkpoints.save(step, {"weight": torch.full((3,), float(step))}, {"name": f"after {step}"})
    checkpoints.wait()
    return checkpoints


def steps(checkpoints: Checkpoints) -> list[str]:
    return sorted(path.name for path in checkpoints.folder.glob("step-*"))


def test_the_newest_is_found_with_its_tensors_and_state(tmp_path: Path) -> None:
    written(tmp_path, 3, 8)
    found = opened(tmp_path).latest()
    assert found is not None
    assert (found.step, found.state["name"]) == (8, "after 8")
    weight = torch.zeros(3)
    found.load({"weight": weight})
    assert weight.tolist() == [8.0] * 3


def test_what_changes_after_the_call_is_not_saved(tmp_path: Path) -> None:
    checkpoints, weight = opened(tmp_path), torch.ones(1_000)
    checkpoints.save(1, {"weight": weight}, {})
    weight.zero_()
    found = checkpoints.latest()
    assert found is not None
    found.load({"weight": weight})
    assert weight.sum() == 1_000


def test_two_stay_and_those_to_roll_back_to(tmp_path: Path) -> None:
    assert steps(written(tmp_path, 1, 2, 3, 4, keep=2)) == ["step-000000002", "step-000000003", "step-000000004"]


def test_a_torn_one_is_removed(tmp_path: Path) -> None:
    written(tmp_path, 1)
    torn = tmp_path / "checkpoints" / "unfinished-000000002"
    torn.mkdir()
    (torn / TENSORS).write_bytes(b"half")
    found = opened(tmp_path).latest()
    assert found is not None
    assert found.step == 1
    assert not torn.exists()


def test_none_was_ever_finished(tmp_path: Path) -> None:
    assert opened(tmp_path).latest() is None


@pytest.mark.parametrize("what", ["flipped", "missing", "no sums", "state"])
def test_a_damaged_one_is_passed_over_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str) -> None:
    folder = written(tmp_path, 1, 2).folder / "step-000000002"
    shard = next((folder / TENSORS).glob("*.distcp"))
    if what == "flipped":
        flip_byte(shard)
    elif what == "missing":
        shard.unlink()
    else:
        (folder / (SUMS if what == "no sums" else "state.json")).write_text("{")
    found = opened(tmp_path).latest()
    assert found is not None
    assert found.step == 1
    said = {"missing": f"{shard.name} is missing", "no sums": SUMS}.get(what, "has other bytes than were written")
    assert said in caplog.text
    assert "checkpoint of step 2 is damaged" in caplog.text


def test_all_damaged_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    for folder in written(tmp_path, 1, 2).folder.glob("step-*"):
        flip_byte(next((folder / TENSORS).glob("*.distcp")))
    with pytest.raises(RegraftError, match=r"Every checkpoint in .* is damaged: .*remove that directory"):
        opened(tmp_path).latest()


def test_one_of_a_course_that_was_given_up_is_not_taken(tmp_path: Path) -> None:
    checkpoints = written(tmp_path, 4, 9)
    (checkpoints.folder / LATEST).write_text("step-000000004")
    found = opened(tmp_path).latest()
    assert found is not None
    assert found.step == 4
    assert steps(written(tmp_path, 6)) == ["step-000000004", "step-000000006"]


def test_what_is_given_up_is_gone_before_anything_else_is_done(tmp_path: Path) -> None:
    checkpoints = written(tmp_path, 4, 8, 9)
    assert checkpoints.back_to(8).step == 8
    assert steps(checkpoints) == ["step-000000008"]
    found = opened(tmp_path).latest()
    assert found is not None
    assert found.step == 8


def test_a_kill_while_checkpoints_are_given_up(tmp_path: Path) -> None:
    """The pointer is moved first; none of the given up course is there to be taken when a later one is damaged."""
    folder = written(tmp_path, 4, 7).folder
    (folder / LATEST).write_text("step-000000004")
    assert steps(opened(tmp_path)) == ["step-000000004"]
    flip_byte(next((written(tmp_path, 8).folder / "step-000000008" / TENSORS).glob("*.distcp")))
    found = opened(tmp_path).latest()
    assert found is not None
    assert found.step == 4


def test_a_full_disk_is_told_at_the_next_call(tmp_path: Path) -> None:
    checkpoints = opened(tmp_path)
    (checkpoints.folder / "unfinished-000000001").write_text("in the way")
    checkpoints.save(1, {"weight": torch.zeros(1)}, {})
    with pytest.raises(OSError, match="unfinished-000000001"):
        checkpoints.wait()


def test_a_full_disk_is_told_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch tells of an unexpected position in a file."""
    checkpoints = opened(tmp_path)
    (checkpoints.folder / "unfinished-000000001").write_text("in the way")
    free = shutil.disk_usage(tmp_path)._replace(free=3_999)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    checkpoints.save(1, {"weight": torch.zeros(1_000)}, {})
    with pytest.raises(OSError, match="no space left for a checkpoint of 4,000 bytes"):
        checkpoints.wait()


def test_the_pointer_names_the_newest(tmp_path: Path) -> None:
    checkpoints = written(tmp_path, 5)
    assert (checkpoints.folder / LATEST).read_text() == "step-000000005"
    assert json.loads((checkpoints.folder / "step-000000005" / "state.json").read_text())["step"] == 5
