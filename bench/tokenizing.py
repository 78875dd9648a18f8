"""Tokenizing against the bare `tokenizers` library, which is the limit, and against datatrove.

python -m bench.tokenizing --corpus FOLDER --tokenizer tokenizer.json --rounds 3
"""

import shutil
import sys
from pathlib import Path

from bench.found import artifact
from bench.results import Result, timings
from bench.rounds import Side, in_turn, median_ratio, run
from bench.settings import PEERS, Settings, settings
from regraft.core import Store
from regraft.corpus import tables

CLAIM = "The stage `tokenize`, with all that it reads and writes, takes at most 10 % longer than the bare library."


def sides(given: Settings, start: Path) -> list[Side]:
    """Return regraft, which starts from texts already read (`start`), the bare library on the same files, datatrove."""
    documents = artifact(Store(start), "texts").path / tables.DOCUMENTS_FOLDER
    peer: list[str | Path] = ["--tokenizer", given.tokenizer or "", "--workers", str(len(given.cores))]
    bare = [sys.executable, PEERS / "bare_tokenizers.py", "--corpus", documents, *peer]
    return [
        Side(
            name="regraft",
            prepare=lambda out: shutil.copytree(start, out, dirs_exist_ok=True),
            command=lambda out: given.ours("tokenized", out),
        ),
        Side(name="bare", command=lambda out: bare),
        Side(
            name="datatrove",
            command=lambda out: [
                *(given.peer, PEERS / "datatrove_tokenize.py", "--corpus", given.corpus / "text", "--out", out),
                *peer,
            ],
        ),
    ]


def main() -> None:
    given = settings(__doc__)
    start = given.work / "start"
    shutil.rmtree(start, ignore_errors=True)
    run(given.ours("given", start), given.cores, given.work / "start.log", {})
    found = in_turn(sides(given, start), given.rounds, given.cores, given.work)
    made = artifact(Store(given.work / "regraft"), "tokens").manifest
    longer = median_ratio(found["regraft"], found["bare"])
    Result(
        name="tokenizing",
        claim=CLAIM,
        verdict=f"{longer:.3f} times the bare library (median of the rounds), {made.metrics['tokens']:,} tokens.",
        corpus=given.counts,
        settings={**given.shown(), "seconds of the stage itself, last round": made.provenance.seconds},
        tables=[timings(found, given.megabytes, against="bare")],
        notes=(
            "The bare library reads the texts from the same Parquet files, encodes them in batches and forgets them. "
            "regraft also writes tokens and index in the order of streams. datatrove reads JSON lines and writes.",
        ),
        pythons=given.pythons,
    ).write(given.results)


if __name__ == "__main__":
    main()
