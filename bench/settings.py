"""What all benchmarks are asked on the command line."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
PEERS = ROOT / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where and how a benchmark runs."""

    corpus: Path
    work: Path
    results: Path
    peer: Path
    """Python of the environment with datatrove."""
    tokenizer: Path | None
    rounds: int
    cores: tuple[int, ...]

    @property
    def counts(self) -> Mapping[str, Any]:
        """Of the corpus."""
        return json.loads((self.corpus / "corpus.json").read_text("utf-8"))

    @property
    def megabytes(self) -> float:
        """Of text in the corpus."""
        return self.counts["bytes"] / 1e6

    @property
    def pythons(self) -> tuple[Path, Path]:
        """Of both environments."""
        return Path(sys.executable), self.peer

    def shown(self) -> Mapping[str, Any]:
        """What of it belongs into a result."""
        return {"rounds": self.rounds, "cores": len(self.cores)}

    def ours(self, recipe: str, store: Path, corpus: Path | None = None) -> list[str | Path]:
        """Return the command that runs a recipe of `bench.ours` into `store`."""
        command: list[str | Path] = [sys.executable, "-m", "bench.ours", recipe, "--corpus", corpus or self.corpus]
        command += ["--store", store, "--workers", str(len(self.cores))]
        return command + (["--tokenizer", self.tokenizer] if self.tokenizer else [])


def settings(description: str | None, **defaults: Any) -> Settings:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that bench.corpus made, of one share")
    parser.add_argument("--work", type=Path, default=Path("bench/.work"), help="scratch folder, emptied as needed")
    parser.add_argument("--results", type=Path, default=Path("bench/results"), help="folder for what is found")
    parser.add_argument("--peer", type=Path, default=Path("bench/.venv-datatrove/bin/python"), help="with datatrove")
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json, made by bench.tokenizer for instance")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", default="0", help="processors to run on, with commas")
    parser.set_defaults(**defaults)
    given = vars(parser.parse_args())
    given["cores"] = tuple(int(core) for core in given["cores"].split(","))
    for name in ("corpus", "work", "results", "peer", "tokenizer"):
        given[name] = given[name] and Path.absolute(given[name])  # no resolve: an environment's python is a link
    given["work"].mkdir(parents=True, exist_ok=True)
    return Settings(**given)
