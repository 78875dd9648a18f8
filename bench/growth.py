"""Cost per MB and peak memory as the corpus grows: the same recipe over every corpus in a folder.

python -m bench.growth --corpus FOLDER-OF-CORPORA --tokenizer tokenizer.json --rounds 3
"""

from dataclasses import replace
from statistics import median

from bench.results import Result, Table
from bench.rounds import Side, in_turn
from bench.settings import Settings, settings

RECIPES = ("deduplicated", "end_to_end")
CLAIM = "Seconds per MB and peak memory within 20 % from the smallest corpus to one ten times as large."


def sides(recipe: str, sizes: list[Settings]) -> list[Side]:
    """Return a recipe over each corpus."""
    return [
        Side(
            name=f"{recipe} {given.corpus.name}",
            command=lambda out, given=given: given.ours(recipe, out / "store"),
        )
        for given in sizes
    ]


def main() -> None:
    given = settings(__doc__)
    corpora = [path.parent for path in given.corpus.glob("*/corpus.json")]
    sizes = sorted((replace(given, corpus=corpus) for corpus in corpora), key=lambda size: size.megabytes)
    tables: list[Table] = []
    worst: list[str] = []
    for recipe in RECIPES:
        found = in_turn(sides(recipe, sizes), given.rounds, given.cores, given.work)
        rows: list[list[object]] = []
        for size, runs in zip(sizes, found.values(), strict=True):
            seconds = median(run.seconds for run in runs)
            peak = max(run.peak_bytes for run in runs) / 1e6
            rows.append([size.counts["documents"], size.megabytes, seconds, seconds / size.megabytes, peak])
        first, last = rows[0], rows[-1]
        cost, memory = (float(str(last[n])) / float(str(first[n])) for n in (3, 4))
        worst.append(f"{recipe}: cost per MB x {cost:.2f}, memory x {memory:.2f}")
        header = ("documents", "MB of text", "seconds, median", "seconds/MB", "peak memory, MB")
        tables.append(Table(title=recipe, header=header, rows=rows))
    Result(
        name="growth",
        claim=CLAIM,
        verdict="; ".join(worst) + ".",
        corpus=sizes[-1].counts,
        settings=given.shown(),
        tables=tables,
        notes=("The start of Python is in the time, so a small corpus costs a little more per MB.",),
        pythons=given.pythons[:1],
    ).write(given.results)


if __name__ == "__main__":
    main()
