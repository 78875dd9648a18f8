from dataclasses import dataclass
from pathlib import Path

from regraft.core import Context, Kind, Metrics, Store, run, stage
from regraft.corpus import tables
from regraft.report import diversity
from regraft.report.collect import collect
from regraft.report.sections import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    pass


@stage(version=1, makes=Kind.FILES)
def variety(config: Nothing, ctx: Context) -> Metrics:
    place = {"source": "qa<b>", "language": "zh"}
    measures = [("distinct_2", 0.25, 40), ("near_duplicates", 0.1, 40), ("discipline_entropy", float("nan"), 0)]
    counts = [
        ("opening", "<b>什么是", 7),
        ("discipline", "physics", 30),
        ("discipline", "<b>biology", 10),
        ("problem_words", "8 to 15", 3),
        ("problem_words", "16 to 31", 4),
        ("solution_words", "4 to 7", 5),
        ("solution_words", "128 to 255", 6),
    ]
    rows = [place | {"measure": m, "value": v, "n": n} for m, v, n in measures]
    counted = [place | {"what": w, "label": label, "documents": n} for w, label, n in counts]
    tables.write(ctx.out / tables.DIVERSITY_FILE, tables.table_of(rows, tables.DIVERSITY), tables.DIVERSITY)
    table = tables.table_of(counted, tables.DIVERSITY_COUNTS)
    tables.write(ctx.out / tables.DIVERSITY_COUNTS_FILE, table, tables.DIVERSITY_COUNTS)
    return {}


@stage(version=1, makes=Kind.FILES)
def other(config: Nothing, ctx: Context) -> Metrics:
    (ctx.out / "file").write_text("no table")
    return {}


def section(folder: Path, *steps: object) -> Section:
    store = Store(folder)
    return diversity.diverse(collect(store, run(list(steps), store)))  # pyright: ignore[reportArgumentType]


def test_measures_stand_side_by_side(tmp_path: Path):
    table = section(tmp_path, variety.step("a", Nothing()), other.step("b", Nothing())).figures[0].table
    assert table is not None
    assert table.columns[4:] == ("Distinct 2", "Near duplicates", "Discipline entropy")
    assert table.rows == (("a", "qa<b>", "Chinese", "40", "0.250", "10.0 %", "–"),)


def test_lengths_and_disciplines_are_drawn_and_openings_listed(tmp_path: Path):
    _, lengths, disciplines, openings = section(tmp_path, variety.step("a", Nothing())).figures
    bands = [lengths.svg.index(f">{band} words<") for band in ("4 to 7", "8 to 15", "16 to 31", "128 to 255")]
    assert bands == sorted(bands)
    assert all(part in lengths.svg for part in ("problem", "solution"))
    assert "&lt;b&gt;biology" in disciplines.svg
    assert openings.table is not None
    assert openings.table.rows == (("<b>什么是", "7"),)
    assert openings.folded


def test_a_run_without_measures_says_so(tmp_path: Path):
    assert section(tmp_path, other.step("b", Nothing())).missing
