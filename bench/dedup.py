"""Near duplicates end to end against datatrove: time, memory, precision of what is removed, recall on planted pairs.

python -m bench.dedup --corpus FOLDER --rounds 3
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.found import Removed, removed_by_datatrove, removed_by_regraft, rows, share_above
from bench.recall import meeting, planted, recall_table
from bench.results import Result, Table, timings
from bench.rounds import Measured, Side, in_turn, median_ratio, run
from bench.settings import PEERS, Settings, settings
from regraft.core import Store

CLAIM = (
    "Near-duplicate removal end to end at least 15 times as fast as datatrove; of what is removed at least 0.99 at a "
    "true Jaccard similarity of 0.8 or more; recall on planted pairs at the theoretical curve, Chinese included."
)


def datatrove(given: Settings, out: Path, *more: str) -> list[str | Path]:
    """Return the command of the peer."""
    command = [given.peer, PEERS / "datatrove_dedup.py", "--corpus", given.corpus / "text", "--out", out]
    return [*command, "--workers", str(len(given.cores)), *more]


def sides(given: Settings) -> list[Side]:
    """Return regraft and datatrove: read, compare, write what stays."""
    ours = Side(name="regraft", command=lambda out: given.ours("deduplicated", out / "store"))
    return [ours, Side(name="datatrove", command=lambda out: datatrove(given, out))]


def main() -> None:
    given = settings(__doc__)
    found = in_turn(sides(given), given.rounds, given.cores, given.work)
    out = given.work / "datatrove"
    shutil.rmtree(out / "kept")
    shutil.rmtree(out / "removed")
    run(datatrove(given, out, "--clusters"), given.cores, given.work / "clusters.log", {})
    ours, theirs = removed_by_regraft(Store(given.work / "regraft" / "store")), removed_by_datatrove(out)
    texts = {row["id"]: row["text"] for row in rows(given.corpus / "text")}
    precision = {name: removed.similarities(texts) for name, removed in (("regraft", ours), ("datatrove", theirs))}
    report(given, found, {"regraft": ours, "datatrove": theirs}, precision)


def report(
    given: Settings,
    found: dict[str, list[Measured]],
    removed: dict[str, Removed],
    precision: dict[str, list[float]],
) -> None:
    """Write the result."""
    times = median_ratio(found["datatrove"], found["regraft"])
    right = share_above(precision["regraft"], 0.8)
    Result(
        name="dedup",
        claim=CLAIM,
        verdict=f"{times:.1f} times as fast (median of the rounds); {right:.4f} of what is removed at 0.8 or more.",
        corpus=given.counts,
        settings=given.shown(),
        tables=[
            timings(found, given.megabytes, against="regraft"),
            _precision_table(removed, precision),
            *_recall_tables(given, removed),
        ],
        notes=(
            "Precision: the true similarity of each removed document (20,000 of them at most) to the one that stays "
            "for it. datatrove compares no two documents; it keeps one of each cluster, and that is the one looked at.",
            "Same band: the two signatures meet, which is what the theory is about. Same stays: one document stands "
            "for both after verification, which below 0.8 is not wanted. One gone: the two are not both there any "
            "more, perhaps because of other duplicates; more is not known of datatrove.",
            "datatrove splits words by one language for a whole run (English here), so Chinese is no fair test of it.",
        ),
        pythons=given.pythons,
    ).write(given.results)


def _precision_table(removed: dict[str, Removed], precision: dict[str, list[float]]) -> Table:
    lines = [
        [name, len(removed[name].kept_for), *(f"{share_above(found, least):.4f}" for least in (0.8, 0.75, 0.7))]
        for name, found in precision.items()
    ]
    return Table(title="Precision", header=("", "removed", "J >= 0.8", "J >= 0.75", "J >= 0.7"), rows=lines)


def _recall_tables(given: Settings, removed: dict[str, Removed]) -> Sequence[Table]:
    pairs = planted(given.corpus)
    ours, theirs = removed["regraft"], removed["datatrove"]
    tests = {
        "regraft: same band": meeting(Store(given.work / "regraft" / "store"), given.work / "signatures"),
        "regraft: same stays": lambda pair: ours.same_stays(pair.original, pair.copy),
        "regraft: one gone": lambda pair: ours.one_stays(pair.original, pair.copy),
        "datatrove: one gone": lambda pair: theirs.one_stays(pair.original, pair.copy),
    }
    return [
        recall_table("Recall, other languages", [pair for pair in pairs if pair.language != "zh"], tests),
        recall_table("Recall, Chinese", [pair for pair in pairs if pair.language == "zh"], tests),
    ]


if __name__ == "__main__":
    main()
