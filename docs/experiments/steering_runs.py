"""Run arms of the experiment `steering`, one after the other, and collect what they evaluated.

    python docs/experiments/steering_runs.py CORPUS STORE OUT --arms fixed velocity --seeds 0 1 2

The pilot, from which `velocity` and `excess_loss` take their losses, is `fixed` with a seed of its own. Two processes
may work in one store at once on different arms, once the pilot is there.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from steering import steering

from regraft.core import Artifact, Execution, Run, Store, open_artifact, run
from regraft.corpus import tables

PILOT = 99


def made(record: Run, store: Store, step: str) -> Artifact:
    """Return what a step of a run made."""
    return open_artifact(store.path(record.steps[step]))


def ran(given: argparse.Namespace, arm: str, seed: int, pilot: str) -> Run:
    """Run one arm with one seed and copy the items of its evaluation."""
    steps = steering(corpus=str(given.corpus.absolute()), arm=arm, seed=seed, pilot=pilot)
    store = Store(given.store)
    record = run(steps, store, Execution(cache=given.store / "cache"))
    for name, to in ((f"evaluate/{arm}", f"{arm}-{seed}"), ("evaluate/base", "base")):
        shutil.copyfile(made(record, store, name).file(tables.ITEMS_FILE), given.out / f"{to}.parquet")
    trained = made(record, store, f"train/{arm}")
    for file in (tables.SHARES_FILE, tables.HELD_OUT_FILE):
        target = given.out / "training" / f"{arm}-{seed}-{file}"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(trained.file(file), target)
    print(arm, seed, f"{trained.manifest.provenance.seconds:.0f} s", flush=True)
    return record


def last_losses(trained: Artifact) -> dict[str, float]:
    """Return the held-out loss of each stream at the end of a training, in nats a token."""
    rows: list[dict[str, Any]] = tables.read(trained.file(tables.HELD_OUT_FILE), tables.HELD_OUT).to_pylist()
    last = max(row["step"] for row in rows)
    return {
        f"{row['language']}/{row['source']}/{row['topic']}": row["loss"] / row["tokens"]
        for row in rows
        if row["step"] == last and row["language"] == "zh"
    }


def main() -> None:
    """Run the pilot, then all arms with all seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("corpus", "store", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--arms", nargs="*", default=["fixed"])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    pilot = given.out / "pilot.json"
    if not pilot.exists():
        record = ran(given, "fixed", PILOT, "")
        losses = last_losses(made(record, Store(given.store), "train/fixed"))
        pilot.write_text(json.dumps(losses, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for seed in given.seeds:
        for arm in given.arms:
            ran(given, arm, seed, str(pilot) if arm in ("velocity", "excess_loss") else "")


if __name__ == "__main__":
    main()
