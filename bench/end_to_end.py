"""From archives of pages to tokens: speed, the share of each stage, and how far each is from its library's limit.

python -m bench.end_to_end --corpus FOLDER --tokenizer tokenizer.json --rounds 3
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.found import artifact
from bench.results import Result, Table
from bench.rounds import Measured, Side, in_turn
from bench.settings import Settings, settings
from regraft.core import Manifest, Store

STAGES = ("read", "extract", "filter", "deduplicate", "decontaminate", "tokenize")
CLAIM = "MB/s per core end to end, the share of time per stage, and how far each is from its library's own limit."


def limits(given: Settings, store: Path, out: Path) -> list[str | Path]:
    """Return the command that measures the libraries alone, on what the run in `store` was given."""
    command: list[str | Path] = [sys.executable, "-m", "bench.limits", "--store", store, "--corpus", given.corpus]
    return [*command, "--tokenizer", given.tokenizer or "", "--out", out / "limits.json"]


def main() -> None:
    given = settings(__doc__)
    store = given.work / "regraft"
    runs: list[Measured] = []
    stages: list[dict[str, Manifest]] = []
    alone: list[dict[str, dict[str, float]]] = []
    for _ in range(given.rounds):
        sides = [
            Side(name="regraft", command=lambda out: given.ours("end_to_end", out)),
            Side(name="limits", command=lambda out: limits(given, store, out)),
        ]
        runs += in_turn(sides, 1, given.cores, given.work)["regraft"]
        stages.append({name: artifact(Store(store), name).manifest for name in STAGES})
        alone.append(json.loads((given.work / "limits" / "limits.json").read_text("utf-8")))
    report(given, runs, stages, alone)


def report(
    given: Settings,
    runs: Sequence[Measured],
    stages: Sequence[dict[str, Manifest]],
    alone: Sequence[dict[str, dict[str, float]]],
) -> None:
    """Write the result."""
    seconds = median(run.seconds for run in runs)
    pages, text = (float(stages[0][name].metrics["bytes"]) / 1e6 for name in ("read", "extract"))
    cores = len(given.cores)
    rate = f"{pages / seconds / cores:.2f} MB/s of pages, {text / seconds / cores:.2f} MB/s of text, per core"
    table = _stage_table(seconds, stages, alone)
    memory = max(run.peak_bytes for run in runs) / 1e6
    Result(
        name="end_to_end",
        claim=CLAIM,
        verdict=f"{rate}; {seconds:.1f} s (median of {len(runs)}), peak memory {memory:.0f} MB.",
        corpus={**given.counts, "MB of pages": round(pages, 1), "MB of extracted text": round(text, 1)},
        settings=given.shown(),
        tables=[table, _documents_table(stages[-1])],
        notes=(
            "Each library alone runs on the same core, in the same round, over what the stage was given; reading its "
            "input does not count, unless the copy of a table is the limit. Only the filter by language has "
            "a library. `times` compares a stage with the sum of its limits.",
            "The rest is the start of Python, the imports and the hashing of the input files.",
        ),
        pythons=given.pythons[:1],
    ).write(given.results)


def _stage_table(
    whole: float, stages: Sequence[dict[str, Manifest]], alone: Sequence[dict[str, dict[str, float]]]
) -> Table:
    rows: list[list[object]] = []
    for number, name in enumerate(STAGES):
        seconds = median(found[name].provenance.seconds for found in stages)
        megabytes = float(stages[0][STAGES[max(number - 1, 0)]].metrics["bytes"]) / 1e6
        parts = {what: median(found[name][what] for found in alone) for what in alone[0][name]}
        shown = ", ".join(f"{what} {value:.2f} s" for what, value in parts.items())
        times = seconds / sum(parts.values())
        rows.append([name, megabytes, seconds, megabytes / seconds, f"{seconds / whole:.0%}", shown, times])
    rest = whole - sum(float(str(row[2])) for row in rows)
    rows.append(["the rest", "", rest, "", f"{rest / whole:.0%}", "", ""])
    header = ("stage", "MB in", "seconds, median", "MB/s", "share of time", "libraries alone", "times")
    return Table(title="Stages", header=header, rows=rows)


def _documents_table(stages: dict[str, Manifest]) -> Table:
    rows = [
        [name, manifest.metrics["documents"], manifest.metrics.get("rejected", 0)] for name, manifest in stages.items()
    ]
    return Table(title="Documents", header=("stage", "kept", "rejected"), rows=rows)


if __name__ == "__main__":
    main()
