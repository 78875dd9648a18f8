"""The sides of `bench.training`, and their runs: each in a process of its own, kept once it has ended."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.rounds import run
from bench.settings import PEERS, ROOT

TOKENS, WARM = 512, 2
"""Of a row; steps that do not count, in which layers are compiled and memory is taken for the first time."""
OURS, TRAINER, FACTORY, LITGPT = "regraft", "Transformers Trainer", "LLaMA-Factory", "litgpt"
PYTHONS = {
    OURS: Path(sys.executable),
    FACTORY: ROOT / ".venv-llamafactory/bin/python",
    LITGPT: ROOT / ".venv-litgpt/bin/python",
}
SCRIPTS: dict[str, list[str | Path]] = {
    TRAINER: [sys.executable, PEERS / "transformers_training.py"],
    OURS: [sys.executable, "-m", "bench.trainer"],
    FACTORY: [PYTHONS[FACTORY], PEERS / "llamafactory_training.py"],
    LITGPT: [PYTHONS[LITGPT], PEERS / "litgpt_training.py"],
}
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}
"""Threads that wait sleep: else waiting for a core that others hold would count as work."""


@dataclass(frozen=True, slots=True, order=True)
class Side:
    """A program that trains."""

    name: str
    compiled: bool = False

    def __str__(self) -> str:
        plain = ", not compiled" if self.name == LITGPT else ""
        return f"{self.name}{', compiled' if self.compiled else plain}"


SIDES = (*map(Side, SCRIPTS), *(Side(name, compiled=True) for name in (TRAINER, OURS, LITGPT)))
LOOK = 1.0
"""Seconds between two looks at the memory, which take time from a machine of two cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model, and how it is trained here."""

    folder: Path
    passages: Path
    rows: int
    """Of a step."""
    steps: int
    """That count."""
    rate: float

    @property
    def flops(self) -> float:
        """FLOP of a token forward and backward: what is computed again does not count, the tied head once."""
        config = json.loads((self.folder / "config.json").read_text("utf-8"))
        hidden, layers = config["hidden_size"], config["num_hidden_layers"]
        attention = 2 * hidden**2 * (1 + config["num_key_value_heads"] / config["num_attention_heads"])
        weights = layers * (attention + 3 * hidden * config["intermediate_size"]) + config["vocab_size"] * hidden
        return 6 * weights + 6 * layers * TOKENS * hidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What the sides are compared on."""

    model: Model
    precision: str
    cores: tuple[int, ...]

    def __str__(self) -> str:
        threads = f"{len(self.cores)} thread{'s' * (len(self.cores) > 1)}"
        return f"{self.model.folder.name}, {self.precision}, {threads}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The figures of one run."""

    cpu: Sequence[float]
    """Processor time after each step."""
    losses: Sequence[float]
    peak_bytes: int
    tokens_per_step: int

    @property
    def speed(self) -> float:
        """Tokens per second of processor time, the warm steps left out."""
        return (len(self.cpu) - WARM) * self.tokens_per_step / (self.cpu[-1] - self.cpu[WARM - 1])

    @property
    def start(self) -> float:
        """Processor time of start-up and warm steps."""
        return self.cpu[WARM - 1]


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs sides in a scratch folder, or reads there what a run found before."""

    work: Path
    rounds: int

    def peak(self, cell: Cell, number: int) -> float:
        """Return the FLOP a processor second of matrix products in the precision of a cell, before a round."""
        out = self._out(cell, "peak", number)
        if not out.exists():
            log = out.with_suffix(".log")
            run([sys.executable, "-m", "bench.peak"], cell.cores, log, ENVIRONMENT)
            out.write_text(log.read_text("utf-8").splitlines()[-1], "utf-8")
        return json.loads(out.read_text("utf-8"))[cell.precision]

    def side(self, cell: Cell, side: Side, number: int) -> Found:
        """Return what a side found in a round."""
        out = self._out(cell, str(side), number)
        if not out.exists():
            self._run(cell, side, out)
        return self._read(cell, side, out)

    def found(self, cell: Cell) -> dict[Side, dict[int, Found]]:
        """Return what is there of a cell: by side, by round."""
        paths = {side: {n: self._out(cell, str(side), n) for n in range(self.rounds)} for side in SIDES}
        found = {
            side: {number: self._read(cell, side, out) for number, out in outs.items() if out.exists()}
            for side, outs in paths.items()
        }
        return {side: rounds for side, rounds in found.items() if rounds}

    def _read(self, cell: Cell, side: Side, out: Path) -> Found:
        marks = json.loads(out.read_text("utf-8"))
        tokens = cell.model.rows * (TOKENS - (side.name == LITGPT))
        return Found(cpu=marks["cpu"], losses=marks["losses"], peak_bytes=marks["peak_bytes"], tokens_per_step=tokens)

    def _run(self, cell: Cell, side: Side, out: Path) -> None:
        work, part = self.work / "sides" / str(side) / str(cell), out.with_suffix(".part")
        if side.name != OURS:  # whose store keeps backbone and tokens
            shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True, exist_ok=True)
        model, compiled = cell.model, ["--compile"] * side.compiled
        command = [*SCRIPTS[side.name], "--model", model.folder, "--passages", model.passages, *compiled]
        command += ["--precision", cell.precision, "--steps", str(WARM + model.steps), "--rows", str(model.rows)]
        command += ["--rate", str(model.rate), "--work", work, "--out", part]
        cache = {"TORCHINDUCTOR_CACHE_DIR": str(self.work / "cache" / _spaceless(f"{side}/{cell}"))}
        measured = run(command, cell.cores, out.with_suffix(".log"), ENVIRONMENT | cache, LOOK)
        marks = json.loads(part.read_text("utf-8"))
        out.write_text(json.dumps({**marks, "peak_bytes": measured.peak_bytes}), "utf-8")
        part.unlink()
        if side.name != OURS:
            shutil.rmtree(work)

    def _out(self, cell: Cell, what: str, number: int) -> Path:
        folder = self.work / "found" / str(cell)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{what}, {number}.json"


def _spaceless(path: str) -> str:
    """Return a path that Inductor can hand to a compiler: it does not quote."""
    return path.replace(", ", "-").replace(" ", "-")
