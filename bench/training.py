"""Training beside the Trainer of Transformers, LLaMA-Factory and litgpt: tokens per second of processor time.

python -m bench.training --models FOLDER --passages FOLDER --rounds 3 --cores 0,1

Every side trains the same model on the same rows of 512 tokens with the same optimizer, and notes its processor time
after each step. A run that is in the scratch folder already is not repeated.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median

from bench.results import Result, Table
from bench.training_sides import OURS, PYTHONS, SIDES, TRAINER, WARM, Cell, Found, Model, Runs, Side

CLAIM = (
    "Tokens per processor second of training, one thread and all cores, SmolLM2-135M and a model of 12 million "
    "parameters, fp32 and bf16: never below the Trainer of Transformers with the same options, and at least 1.5 times "
    "its default bf16 run on SmolLM2-135M."
)
NOTES = (
    "Every row is one passage of 512 tokens with its end token, so that nobody has documents to keep apart. AdamW "
    "(0.9, 0.95), fused, without decay, clip 1.0, constant rate, one micro-batch a step, no activation checkpointing, "
    "no checkpoint on the way, the loss logged at every step.",
    "Start-up, compiling and the first two steps do not count. `start` is their processor time, in the first round: "
    "what a compiled side has there beyond the same side not compiled is compiling, with an empty cache.",
    "litgpt 0.5.13 always compiles the whole model; not compiled is with TORCHDYNAMO_DISABLE=1. It shifts labels "
    "itself, so 511 tokens of a row go in, and count. On a CPU it switches the fused AdamW off; here it is on. It "
    "needs `requests`, which it does not ask for, to save.",
    "LLaMA-Factory 0.9.5 asks for torchaudio and torchvision, which have no CPU build for this torch: it is installed "
    "without both and given an empty module torchaudio. It brings Transformers 5.6.0, whose tokenizer cuts the text "
    "of the small model otherwise, so it is given the rows as tokens. Its loss is a little lower: it leaves out the "
    "end token, which is its padding too, and divides by one token more than it sums.",
    "Rounds are numbered, and a ratio is of two runs of one round. The sides of a round run one after the other on the "
    "same core, which other programs used too.",
    "Share of the matrix peak: 6 x parameters + 6 x layers x length x hidden size FLOP a token, over the fastest "
    "product of two 2048 x 2048 matrices in the same precision on the same cores, tried before each round.",
)


@dataclass(frozen=True, slots=True)
class Compared:
    """What the rounds of a cell found."""

    cell: Cell
    peaks: Mapping[int, float]
    """By round."""
    found: Mapping[Side, Mapping[int, Found]]
    """By side and round."""

    def ratios(self, side: Side, other: Side) -> list[float]:
        """Return how many times as fast as another a side was, in each round that both ran."""
        theirs = self.found.get(other, {})
        return [one.speed / theirs[number].speed for number, one in self.found[side].items() if number in theirs]

    def times(self, side: Side, other: Side) -> float | None:
        """Return the median of the ratios; None without any."""
        return median(ratios) if (ratios := self.ratios(side, other)) else None

    def table(self) -> Table:
        """Return a row for each side."""
        header = ("", "rounds", "tokens/s of processor time", "times the Trainer with the same options",
                  "round by round", "times the Trainer not compiled", "share of the matrix peak", "start, s",
                  "memory, GB", "loss, first step", "last")  # fmt: skip
        title = f"{self.cell}; matrix peak {median(self.peaks.values()) / 1e9:,.0f} GFLOP/s"
        return Table(title=title, header=header, rows=[self._row(side) for side in self.found])

    def _row(self, side: Side) -> list[object]:
        runs, same, plain = self.found[side], Side(TRAINER, side.compiled), Side(TRAINER)
        first, last = min(runs), max(runs)
        speed = median(one.speed for one in runs.values())
        share = median(one.speed * self.cell.model.flops / self.peaks[number] for number, one in runs.items())
        each = " ".join(f"{ratio:.2f}" for ratio in self.ratios(side, same))
        memory, losses = max(one.peak_bytes for one in runs.values()) / 1e9, runs[last].losses
        times = [ratio if ratio else "" for ratio in (self.times(side, same), self.times(side, plain))]
        return [side, len(runs), speed, times[0], each, times[1], share, runs[first].start, memory,
                f"{losses[0]:.4f}", f"{losses[-1]:.4f}"]  # fmt: skip


def verdict(cells: Sequence[Compared]) -> str:
    """Return the worst of our cells against the Trainer, and the best on SmolLM2 in bf16 against its default run."""
    ours = [
        (times, f"{one.cell}{', compiled' * side.compiled}")
        for one in cells
        for side in one.found
        if side.name == OURS and (times := one.times(side, Side(TRAINER, side.compiled)))
    ]
    worst, where = min(ours)
    parts = [
        f"At or above the Trainer with the same options in {sum(ratio >= 1 for ratio, _ in ours)} of {len(ours)} "
        f"comparisons, at worst {worst:.2f} times its speed ({where})"
    ]
    for one in cells:
        if "SmolLM2" in str(one.cell) and one.cell.precision == "bfloat16":
            best, side = max((one.times(s, Side(TRAINER)) or 0.0, str(s)) for s in one.found if s.name == OURS)
            parts.append(f"{best:.2f} times its default run in {one.cell} ({side})")
    return f"{'; '.join(parts)}."


def models(given: argparse.Namespace) -> list[Model]:
    """Return the models that are asked for; steps are fewer where they take longer."""
    settings = {
        "llama-12m": {"rows": 4, "steps": 6, "rate": 3e-4},
        "SmolLM2-135M": {"rows": 2, "steps": 3, "rate": 1e-5},
    }
    folders, passages = given.models.resolve(), given.passages.resolve()
    return [Model(folder=folders / name, passages=passages / name, **settings[name]) for name in given.only]


def cells(given: argparse.Namespace) -> list[Cell]:
    """Return what to compare on, in order."""
    cores = tuple(int(core) for core in given.cores.split(","))
    return [
        Cell(model=model, precision=precision, cores=cores[:threads])
        for threads, model, precision in product(given.threads, models(given), given.precisions)
    ]


def main() -> None:
    given = _arguments()
    runs = Runs(given.work.resolve(), given.rounds)
    for cell, number, side in product(cells(given), range(given.rounds), SIDES):
        if str(side) in given.sides:
            runs.peak(cell, number)
            print(f"{cell}: {side} {runs.side(cell, side, number).speed:.0f} tokens/s", flush=True)
    done = [_compared(runs, cell, sides) for cell in cells(given) if (sides := runs.found(cell))]
    _result(given, done).write(given.results)


def _compared(runs: Runs, cell: Cell, found: Mapping[Side, Mapping[int, Found]]) -> Compared:
    rounds = sorted({number for rounds in found.values() for number in rounds})
    return Compared(cell, {number: runs.peak(cell, number) for number in rounds}, found)


def _result(given: argparse.Namespace, done: Sequence[Compared]) -> Result:
    return Result(
        name="training",
        claim=CLAIM,
        verdict=verdict(done),
        corpus={"text": "English Debian documentation in passages of 512 tokens"},
        settings={"steps before the clock starts": WARM},
        tables=[one.table() for one in done],
        notes=(*NOTES, *given.note),
        pythons=tuple(PYTHONS.values()),
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder of Transformers folders, by name")
    parser.add_argument("--passages", type=Path, required=True, help="folder of what bench.passages made of each")
    parser.add_argument("--work", type=Path, default=Path("bench/.work/training"))
    parser.add_argument("--results", type=Path, default=Path("bench/results"))
    parser.add_argument("--only", nargs="*", default=["llama-12m", "SmolLM2-135M"], help="models by name")
    parser.add_argument("--precisions", nargs="*", default=["bfloat16", "float32"])
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", default="0,1", help="processors to run on, with commas; one thread takes the first")
    parser.add_argument("--note", action="append", default=[], help="to be read with the result")
    sides = [str(side) for side in SIDES]
    parser.add_argument("--sides", nargs="*", choices=sides, default=sides, help="that run; all that have run count")
    return parser.parse_args()


if __name__ == "__main__":
    main()
