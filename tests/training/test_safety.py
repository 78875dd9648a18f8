"""Steps that go wrong: skipped, rolled back, counted, and nothing lost."""

import math
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import Artifact, ConfigError, Execution, StepFailed, Store, run
from regraft.corpus import tables
from regraft.training.safety import Safety, Spikes, Watch
from tests.training.conftest import training

MEANS = Execution(workers=1, checkpoint_seconds=0, sequences_per_batch=1, compile="off")
SPIKES = Spikes(window=4, deviations=2, patience=2, anchor_steps=2, max_rollbacks=9)
NOISY: dict[str, Any] = {"noise": (16, 18), "tokens": 20 * 2 * 64, "num_decisions": 0, "count": 48}


def made(folder: Path, often: float = 0, **changes: Any) -> Artifact:
    store = Store(folder)
    run([training(**changes)], store, replace(MEANS, checkpoint_seconds=often))
    return store.resolve("train")


def rows(artifact: Artifact, file: str) -> list[dict[str, Any]]:
    schema = {tables.STEPS_FILE: tables.STEPS, tables.EVENTS_FILE: tables.EVENTS}.get(file, tables.SERVED)
    return tables.read(artifact.file(file), schema).to_pylist()


@given(st.lists(st.floats(0, 20), min_size=4, max_size=40))
def test_the_threshold_is_above_the_median_of_the_window(losses: list[float]) -> None:
    assert SPIKES.threshold(losses) >= median(losses[-4:]) + SPIKES.nats
    assert SPIKES.threshold(losses[:3]) == math.inf


def test_a_slow_rise_and_a_single_jump_are_no_reason_to_roll_back() -> None:
    watch = Watch(Safety(spikes=SPIKES))
    assert not any(watch.see(3 + 0.1 * i, True) for i in range(30))
    assert not watch.see(50.0, True)
    assert not watch.see(6.0, True)
    assert not watch.see(50.0, True)
    assert watch.see(50.0, True)


def test_spikes_do_not_become_what_is_usual() -> None:
    watch = Watch(Safety(spikes=Spikes(window=4, patience=100)))
    for loss in [3.0] * 4 + [9.0] * 50:
        watch.see(loss, True)
    assert watch.losses == [3.0] * 4
    assert watch.spiking == 50


POISONED: dict[str, Any] = {"noise": (8, 9), "poisoned": "}"}
"""One document has a token whose embedding is NaN; neither a held-out document nor the leak self-test has it."""


def test_nan_in_the_batch_of_a_document_is_skipped_counted_and_named(tmp_path: Path) -> None:
    artifact = made(tmp_path, **POISONED, num_decisions=0)
    events = [row for row in rows(artifact, tables.EVENTS_FILE) if row["what"] == "skipped"]
    steps = {row["step"]: row for row in rows(artifact, tables.STEPS_FILE)}
    assert 1 <= len(events) == artifact.manifest.metrics["skipped_steps"] < 6
    for row in events:
        assert "8'" in row["detail"]
        assert math.isnan(steps[row["step"]]["loss"])
    finite = [row["loss"] for row in steps.values() if math.isfinite(row["loss"])]
    assert len(steps) == 12
    assert finite[-1] < finite[0] - 0.5


def test_no_step_may_be_skipped_when_none_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(
        StepFailed, match=r"train-(zh|en)-8.*step 1 on end without a finite gradient \(max_skipped is 0"
    ):
        made(tmp_path, **POISONED, num_decisions=0, safety=Safety(max_skipped=0))


def test_a_spike_rolls_back_and_passes_over_what_led_there(tmp_path: Path) -> None:
    plain = made(tmp_path / "plain", **NOISY, safety=Safety(spikes=None))
    assert not rows(plain, tables.SKIPPED_FILE)
    peak = max(row["loss"] for row in rows(plain, tables.STEPS_FILE)[6:])
    artifact = made(tmp_path / "watched", **NOISY, safety=Safety(spikes=SPIKES))
    metrics = artifact.manifest.metrics
    events = [row for row in rows(artifact, tables.EVENTS_FILE) if row["what"] == "rolled_back"]
    assert len(events) == metrics["rollbacks"] >= 1
    assert all(f"back to step {event['step']}" in event["detail"] for event in events)
    passed, kept = rows(artifact, tables.SKIPPED_FILE), rows(artifact, tables.SERVED_FILE)
    pieces = {(row["id"], row["start"]) for row in kept}
    assert passed
    assert not pieces & {(row["id"], row["start"]) for row in passed}
    assert [row["step"] for row in rows(artifact, tables.STEPS_FILE)] == list(range(1, 21))
    assert max(row["loss"] for row in rows(artifact, tables.STEPS_FILE)[6:]) < peak
    assert sum(row["stop"] - row["start"] for row in kept) == metrics["tokens"]


def test_roll_backs_come_to_an_end(tmp_path: Path) -> None:
    spikes = Spikes(window=4, patience=1, anchor_steps=2, max_rollbacks=1, nats=1e-9, deviations=1e-9)
    with pytest.raises(StepFailed, match="1 roll-backs are all that are allowed"):
        made(tmp_path, **NOISY, safety=Safety(spikes=spikes))


@pytest.mark.parametrize("wrong", [{"window": 3}, {"patience": 0}, {"nats": 0.0}, {"max_rollbacks": 0}])
def test_wrong_thresholds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Spikes(**wrong)


def test_roll_backs_that_use_up_the_data_end_the_training_early(tmp_path: Path) -> None:
    artifact, same = (
        made(tmp_path / str(often), often=often, **NOISY | {"count": 24}, safety=Safety(spikes=SPIKES))
        for often in (0, 1000)
    )
    for file in (tables.EVENTS_FILE, tables.HELD_OUT_FILE, tables.SKIPPED_FILE, tables.SERVED_FILE):
        assert artifact.file(file).read_bytes() == same.file(file).read_bytes()
    assert "ended" in [row["what"] for row in rows(artifact, tables.EVENTS_FILE)]
    metrics, (last,) = artifact.manifest.metrics, rows(artifact, tables.EVENTS_FILE)[-1:]
    assert last["what"] == "stopped"
    assert last["detail"] == metrics["stopped"]
    assert f"{20 - int(metrics['steps'] or 0)} of 20 steps are not made" in last["detail"]
    assert len(rows(artifact, tables.STEPS_FILE)) == metrics["steps"] < 20
    assert artifact.file("model/model.safetensors").exists()
