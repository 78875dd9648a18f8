"""What controller, evaluation by topic, logging and data loading cost of a training.

python -m bench.training_overhead --models FOLDER --passages FOLDER --rounds 3 --cores 0

One run is under a profiler, which counts all of a step that is not forward, backward, clipping or optimizer; it makes
Python dearer than it is and tensors not, so the true share is smaller. Then runs with everything and with nothing to
steer, in turn.
"""

import argparse
import json
import pstats
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.results import Result, Table
from bench.rounds import run
from bench.steered import TOPICS
from bench.training_sides import ENVIRONMENT, WARM

CLAIM = (
    "Controller, evaluation by topic at the paper's cadence, logging and data loading together cost at most 2 % of the "
    "time of a training."
)
EVALUATE_EVERY = 4e9
"""Tokens. Source: YuLan-Mini (paper_facts 1.4, [Y]); the paper gives no number."""
STEPS, DECISIONS, ROWS, TOKENS = 12, 3, 4, 512
COMPUTES = ("_accumulate", "clip", "take_step", "zero_grad")
"""What trains, by function."""
STEP, AFTER, DECIDE = "_train_step", "_decide_and_save", "_measure_and_steer"


@dataclass(frozen=True, slots=True)
class Profile:
    """Seconds of functions in a profiled run, and how often they were called."""

    seconds: dict[str, float]
    calls: dict[str, int]

    @classmethod
    def read(cls, path: Path) -> "Profile":
        """Read what cProfile wrote; only functions of the training."""
        entries = pstats.Stats(str(path)).stats.items()  # pyright: ignore[reportAttributeAccessIssue]
        ours = [(name, entry) for (file, _, name), entry in entries if "/training/" in file or name == "zero_grad"]
        found = cls({name: entry[3] for name, entry in ours}, {name: entry[0] for name, entry in ours})
        if missing := {STEP, AFTER, DECIDE, *COMPUTES} - set(found.seconds):
            raise SystemExit(f"The training has no function {sorted(missing)} any more; name its successor here.")
        return found

    @property
    def decision(self) -> float:
        """Seconds of one evaluation and decision."""
        return self.seconds[DECIDE] / self.calls[DECIDE]

    @property
    def step(self) -> float:
        """Seconds of one step, what is decided and saved after it left out."""
        return (self.seconds[STEP] - self.seconds[AFTER]) / self.calls[STEP]

    @property
    def computing(self) -> float:
        """Seconds of one step in forward, backward, clipping and optimizer."""
        return sum(self.seconds[name] for name in COMPUTES) / self.calls[STEP]


def trained(given: argparse.Namespace, decisions: int, profile: Path | None = None) -> Sequence[float]:
    """Return the processor time after each step of a training; leave its profile where that is asked for."""
    work = (given.work / f"{decisions} decisions").resolve()
    work.mkdir(parents=True, exist_ok=True)
    out = work / "marks.json"
    profiled = ["-m", "cProfile", "-o", profile] if profile else []
    command = [sys.executable, *profiled, "-m", "bench.steered", "--decisions", str(decisions)]
    command += ["--model", given.models / given.model, "--passages", given.passages / given.model, "--out", out]
    command += ["--precision", "bfloat16", "--steps", str(STEPS), "--rows", str(ROWS), "--rate", "3e-4"]
    run([*command, "--work", work], [int(given.cores)], work / "run.log", ENVIRONMENT)
    return json.loads(out.read_text("utf-8"))["cpu"]


def main() -> None:
    given = _arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    stats = given.work / "profile"
    trained(given, DECISIONS, stats.resolve())
    profile = Profile.read(stats)
    pairs: list[tuple[float, float]] = []
    for _ in range(given.rounds):
        steered, plain = (_seconds(trained(given, decisions)) for decisions in (DECISIONS, 0))
        pairs.append((steered, plain))
        print(f"{steered:.2f} s with {DECISIONS} decisions, {plain:.2f} s without", flush=True)
    _result(given, profile, pairs).write(given.results)


def _seconds(cpu: Sequence[float]) -> float:
    return cpu[-1] - cpu[WARM - 1]


def _result(given: argparse.Namespace, profile: Profile, pairs: Sequence[tuple[float, float]]) -> Result:
    tokens = ROWS * TOKENS
    speed = tokens / profile.computing
    every_step = profile.step / profile.computing - 1
    evaluation = profile.decision * speed / EVALUATE_EVERY
    decision = median((steered - plain) / DECISIONS for steered, plain in pairs)
    plain_step = median(plain / (STEPS - WARM) for _, plain in pairs)
    least = decision * tokens / plain_step / 0.02
    rows: list[list[object]] = [
        ["loading, logging, sampling: all of a step but forward, backward, clipping and optimizer", every_step],
        [f"held-out loss of {TOPICS} topics and decision, every {EVALUATE_EVERY:.0e} tokens", evaluation],
        ["together", every_step + evaluation],
    ]
    counted: list[list[object]] = [
        [i + 1, steered, plain, (steered - plain) / DECISIONS] for i, (steered, plain) in enumerate(pairs)
    ]
    return Result(
        name="training_overhead",
        claim=CLAIM,
        verdict=(
            f"{every_step + evaluation:.2%} of the time, of which {every_step:.2%} in every step. One evaluation with "
            f"its decision takes as long as training on {decision * tokens / plain_step:,.0f} tokens, so it stays "
            f"below 2 % when made every {least:,.0f} tokens or less often."
        ),
        corpus={"text": "English Debian documentation in passages of 512 tokens"},
        settings={
            "rounds": given.rounds,
            "model": given.model,
            "precision": "bfloat16",
            "threads": 1,
            "steps": STEPS,
            "rows of a step": ROWS,
            "topics": TOPICS,
        },
        tables=[
            Table(title="Profiled", header=("", "share of the time of training"), rows=rows),
            Table(
                title=f"{STEPS - WARM} steps in turn, seconds of processor time",
                header=("round", f"{TOPICS} topics, {DECISIONS} decisions", "one stream, none", "of one decision"),
                rows=counted,
            ),
        ],
        notes=(
            "The paper does not say how often topics are evaluated nor on how much text; every 4 billion tokens is "
            "what YuLan-Mini says of itself. Held-out text: 1,000 tokens a topic.",
            "On a model of 12 million parameters steps are short, so the share is larger than on any in use.",
            "Checkpoints are not in it: they go by the clock, at most a twentieth of the time.",
        ),
        pythons=(Path(sys.executable),),
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder of Transformers folders, by name")
    parser.add_argument("--passages", type=Path, required=True, help="folder of what bench.passages made of each")
    parser.add_argument("--model", default="llama-12m")
    parser.add_argument("--work", type=Path, default=Path("bench/.work/training_overhead"))
    parser.add_argument("--results", type=Path, default=Path("bench/results"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", default="0", help="the processor to run on")
    return parser.parse_args()


if __name__ == "__main__":
    main()
