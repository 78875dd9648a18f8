import json

import pyarrow as pa
import pytest

from regraft.core import Context, Kind, Metrics, Store, run, stage
from regraft.corpus import tables
from regraft.report.collect import collect
from regraft.report.throughput import speed
from regraft.training.throughput import MACHINE_FILE, Laps
from tests.report.conftest import StandInConfig

LAPS = Laps(data=1.0, forward_backward=7.0, optimizer=2.0, evaluation=5.0, checkpoint=4.0, logging=1.0)
TIMED = pa.schema(
    [
        pa.field("step", pa.int64(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in ("seconds", "tokens_per_second", *LAPS.columns())),
    ]
)
MACHINE = {
    "device": "H100 <i>",
    "num_ranks": 2,
    "peak_flops": 1_000.0,
    "peak_source": "a datasheet",
    "flops_per_token": 6.0,
    "peak_memory_bytes": 2_000_000,
}


@stage(version=1, makes=Kind.CHECKPOINT)
def timed_training(config: StandInConfig, ctx: Context) -> Metrics:
    """Write steps of 10 s of training on 1,000 tokens, and 10 s of other things."""
    tables.write(ctx.out / tables.STEPS_FILE, tables.table_of([], tables.STEPS), tables.STEPS)
    rows = [{"step": i, "seconds": 10.0, "tokens_per_second": 100.0, **LAPS.columns()} for i in range(1, 301)]
    tables.write(ctx.out / tables.STEP_TIMES_FILE, tables.table_of(rows, tables.STEP_TIMES), tables.STEP_TIMES)
    if not config.synthetic:
        (ctx.out / MACHINE_FILE).write_text(json.dumps(MACHINE), "utf-8")
    return {"tokens": 300_000}


@pytest.fixture
def evidence(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "STEP_TIMES", TIMED)
    store = Store(tmp_path / "store")
    steps = [
        timed_training.step("train/one", StandInConfig()),
        timed_training.step("train/unknown", StandInConfig(synthetic=True)),
    ]
    return collect(store, run(steps, store))


def test_speed_and_shares_of_time_are_said(evidence):
    section = speed(evidence)
    assert "train/one trained on 100 tokens/s, 30.0 % of the peak of H100 <i> (MFU)" in section.sentences[0]
    assert section.sentences[0].endswith("took 55.0 % of the time.")  # 1 + 5 + 4 + 1 of 20 seconds
    table = section.figures[0].table
    assert table
    (one,) = table.rows  # the other one has no record of its machine
    assert one[:5] == ("train/one", "100", "0.30", "3.33", "2.0 MB")
    assert one[5:] == ("5.0 %", "35.0 %", "10.0 %", "25.0 %", "20.0 %", "5.0 %")


def test_charts_stay_small(evidence):
    charts = [figure for figure in speed(evidence).figures if figure.svg]
    assert len(charts) == 2
    assert all(len(figure.svg) < 60_000 for figure in charts)


def test_a_run_without_a_record_of_time_says_so(evidence, monkeypatch):
    monkeypatch.setattr(tables, "STEP_TIMES", tables.STEPS)
    assert speed(evidence).missing
