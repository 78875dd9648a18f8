import json

import pytest

from regraft.training.peak import measured_peak
from regraft.training.throughput import MACHINE_FILE, Laps, Machine, StepClock, Throughput

MACHINE = Machine(
    device="cpu",
    num_ranks=2,
    peak_flops=1_000.0,
    peak_source="measured",
    flops_per_token=6.0,
    peak_memory_bytes=7,
)


def clock_at(*times: float) -> StepClock:
    return StepClock(now=iter(times).__next__)


def test_every_second_goes_to_one_part():
    clock = clock_at(0, 1, 3, 3.5, 4, 10)
    for part in ("data", "forward_backward", "optimizer", "forward_backward"):
        clock.lap(part)
    assert clock.take() == Laps(data=1, forward_backward=2.5, optimizer=0.5)
    clock.lap("checkpoint")
    assert clock.take() == Laps(checkpoint=6)
    assert clock.take() == Laps()


def test_laps_become_rows_and_are_summed_again():
    laps = [Laps(data=1, evaluation=2), Laps(data=3, logging=4)]
    assert Laps.total(row.columns() for row in laps) == Laps(data=4, evaluation=2, logging=4)
    assert set(laps[0].columns()) == {
        f"{name}_seconds" for name in ("data", "forward_backward", "optimizer", "evaluation", "checkpoint", "logging")
    }


def test_figures_follow_from_laps():
    laps = Laps(data=1, forward_backward=6, optimizer=3, evaluation=5, checkpoint=4, logging=1)
    found = Throughput(laps=laps, tokens=1_000, machine=MACHINE)
    assert found.tokens_per_second == 100  # of ten seconds that trained
    assert found.tokens_per_second_overall == 50
    assert found.model_flops == 600
    assert found.mfu == 0.3  # of two processes
    assert found.accelerator_hours == pytest.approx(20 * 2 / 3600)
    shares = found.figures()
    assert shares["time/data_wait_share"] == 0.05
    assert shares["time/evaluation_share"] == 0.25
    assert shares["time/checkpoint_share"] == 0.2
    assert sum(found.share(part) for part in Laps.__slots__) == pytest.approx(1)


def test_nothing_measured_gives_no_speed():
    assert Throughput(laps=Laps(), tokens=0, machine=MACHINE).figures()["throughput/mfu"] == 0


def test_the_machine_is_kept_under_timing(tmp_path):
    MACHINE.write(tmp_path)
    assert Machine(**json.loads((tmp_path / MACHINE_FILE).read_text("utf-8"))) == MACHINE
    assert MACHINE_FILE.startswith("timing/")


def test_the_peak_is_of_this_machine():
    assert 1e9 < measured_peak("float32") < 1e15
