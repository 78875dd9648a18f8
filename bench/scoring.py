"""Scoring documents against plain loops over Transformers, one document at a time and padded batches.

python -m bench.scoring --corpus FOLDER --model FOLDER --rounds 3 --cores 0
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from backports import zstd

from bench.results import Result, Table
from bench.rounds import run
from bench.settings import PEERS
from regraft.lm.load import load_tokenizer

CLAIM = (
    "Loss of real documents under SmolLM2-135M at least twice as fast as a plain loop over Transformers with padding, "
    "and that loop with the best of its batch sizes; the same losses within 1e-4."
)
LANGUAGES = ("en", "zh", "de")
PADDED = (2, 4, 8)
"""Batch sizes that the padded loop tries; its best one counts."""


def documents(given: argparse.Namespace) -> list[list[int]]:
    """Return token ids of a fixed sample: the documents of each language whose ids have the lowest hashes, mixed."""
    tokenizer = load_tokenizer(given.model)
    rows = sorted(_rows(given.corpus), key=lambda row: sha256(row["id"].encode()).digest())
    chosen = [r for code in LANGUAGES for r in islice((r for r in rows if r["language"] == code), given.documents)]
    chosen.sort(key=lambda row: sha256(row["id"].encode()).digest())
    encoded = (tokenizer.encode(row["text"], add_special_tokens=False).ids for row in chosen)
    return [[0, *ids[: given.max_tokens]] for ids in encoded]


def sides(given: argparse.Namespace, sample: Path) -> dict[str, list[str | Path]]:
    """Return the command of each side."""
    common = ["--documents", sample, "--model", given.model, "--threads", str(len(given.cores.split(",")))]
    plain = [sys.executable, PEERS / "plain_scoring.py", *common]
    ours = [sys.executable, "-m", "bench.scorer", *common]
    return {
        "batch 1": [*plain, "--batch", "1"],
        **{f"padded, {size}": [*plain, "--batch", str(size)] for size in PADDED},
        "regraft": ours,
        "regraft, bfloat16": [*ours, "--precision", "bfloat16"],
    }


def timed(command: list[str | Path], given: argparse.Namespace) -> Mapping[str, Any]:
    """Run a command and return the figures that it prints."""
    log = given.work / "scoring.log"
    run(command, [int(core) for core in given.cores.split(",")], log, {})
    return json.loads(log.read_text("utf-8").splitlines()[-1])


def main() -> None:
    given = _arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    sample = given.work / "documents.json"
    ids = documents(given)
    sample.write_text(json.dumps(ids), "utf-8")
    threads = str(len(given.cores.split(",")))
    peak = timed([sys.executable, "-m", "bench.scorer", "--peak", "--threads", threads], given)
    found: dict[str, list[Mapping[str, Any]]] = {}
    for _ in range(given.rounds):
        for name, command in sides(given, sample).items():
            found.setdefault(name, []).append(timed(command, given))
            print(name, {k: v for k, v in found[name][-1].items() if k != "losses"}, flush=True)
    _result(given, ids, peak, found).write(given.results)


def _result(
    given: argparse.Namespace,
    ids: list[list[int]],
    peak: Mapping[str, float],
    found: Mapping[str, list[Mapping[str, Any]]],
) -> Result:
    tokens = sum(len(document) - 1 for document in ids)
    flops = 2 * found["regraft"][0]["parameters"] * tokens
    cores = len(given.cores.split(","))
    best = min((f"padded, {size}" for size in PADDED), key=lambda name: median(_seconds(found[name])))
    rows: list[list[object]] = []
    for name, runs in found.items():
        seconds, dtype = median(_seconds(runs)), "bfloat16" if "bfloat16" in name else "float32"
        times = [b / a for a, b in zip(_seconds(runs), _seconds(found[best]), strict=True)]
        off = max(abs(a / b - 1) for a, b in zip(runs[-1]["losses"], found["batch 1"][-1]["losses"], strict=True))
        wall = tokens / median(run["seconds"] for run in runs)
        speed = tokens / seconds * cores
        achieved = flops / seconds * cores
        rows.append([name, speed, wall, median(times), " ".join(f"{t:.2f}" for t in times),
                     achieved / 1e9, achieved / peak[dtype], f"{off:.1e}"])  # fmt: skip
    ratio = {name: row[3] for name, row in zip(found, rows, strict=True)}
    header = ("", "tokens/s by processor time, all cores", "tokens/s by the clock", f"times {best}", "round by round",
              "GFLOP/s", "share of the matrix peak",
              "largest relative difference of a document's loss from batch 1")  # fmt: skip
    return Result(
        name="scoring",
        claim=CLAIM,
        verdict=(
            f"{ratio['regraft']:.2f} times {best} (its best) in float32, {ratio['regraft, bfloat16']:.2f} times in "
            "bfloat16 (median of the rounds)."
        ),
        corpus={"documents": len(ids), "languages": " ".join(LANGUAGES), "tokens scored": tokens},
        settings={
            "rounds": given.rounds,
            "cores": cores,
            "tokens of a document, at most": given.max_tokens,
            "matrix peak, GFLOP/s": ", ".join(f"{name} {value / 1e9:.0f}" for name, value in peak.items()),
        },
        tables=[Table(title="Sides in turn, loop alone", header=header, rows=rows)],
        notes=(
            "Ratios are of processor time of the loop, without imports and loading: what else runs on the machine "
            "falls out of them.",
            "FLOP: 2 x parameters x scored tokens, the tied head once; attention and padding are not counted. The peak "
            "is the fastest single product shaped like a layer of the model, in the same precision.",
        ),
        pythons=(Path(sys.executable),),
    )


def _seconds(runs: list[Mapping[str, Any]]) -> list[float]:
    return [run["cpu_seconds"] for run in runs]


def _rows(corpus: Path) -> Iterator[dict[str, str]]:
    for path in sorted((corpus / "text").glob("*.jsonl.zst")):
        with zstd.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that bench.corpus made, of one share")
    parser.add_argument("--model", type=Path, required=True, help="Transformers folder of SmolLM2-135M")
    parser.add_argument("--work", type=Path, default=Path("bench/.work/scoring"))
    parser.add_argument("--results", type=Path, default=Path("bench/results"))
    parser.add_argument("--documents", type=int, default=8, help="of each language")
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", default="0", help="processors to run on, with commas")
    return parser.parse_args()


if __name__ == "__main__":
    main()
