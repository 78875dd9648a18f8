from dataclasses import dataclass
from pathlib import Path

from regraft.core import Context, Kind, Metrics, Store, run, stage
from regraft.corpus import tables
from regraft.report import verification
from regraft.report.collect import collect
from regraft.report.sections import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    pass


@stage(version=1, makes=Kind.FILES)
def written(config: Nothing, ctx: Context) -> Metrics:
    found = [{"check": "demands.<b>", "pairs": 10, "alone": 4, "first": 3, "only": 2}]
    tables.write(ctx.out / tables.VERDICTS_FILE, tables.table_of(found, tables.VERDICTS), tables.VERDICTS)
    seed = {"id": "d", "start": 0, "end": 9, "discipline": "physics", "told_by": "url", "topic": "", "loss": 1.0}
    drawn = [seed | {"failure": 0.0, "weight": 1.0, "share": 1.0}] * 2
    tables.write(ctx.out / tables.SEEDS_FILE, tables.table_of(drawn, tables.SEEDS), tables.SEEDS)
    return {"requests": 12, "answers": 10, "documents": 6, "spent_tokens": 1234}


@stage(version=1, makes=Kind.FILES)
def other(config: Nothing, ctx: Context) -> Metrics:
    (ctx.out / "file").write_text("no table")
    return {}


def section(folder: Path, *steps: object) -> Section:
    store = Store(folder)
    return verification.verified(collect(store, run(list(steps), store)))  # pyright: ignore[reportArgumentType]


def test_what_was_asked_kept_and_rejected_stands_in_tables(tmp_path: Path):
    figures = section(tmp_path, written.step("qa", Nothing()), other.step("other", Nothing())).figures
    assert [figure.table.rows for figure in figures if figure.table] == [
        (("qa", "12", "10", "6", "60.0 %", "1,234"),),
        (("qa", "demands.<b>", "10", "4", "3", "2"),),
        (("qa", "physics", "url", "2"),),
    ]


def test_a_run_in_which_no_model_wrote_says_so(tmp_path: Path):
    assert section(tmp_path, other.step("other", Nothing())).missing == "No model wrote text in this run."
