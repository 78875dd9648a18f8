"""kill -9 at random moments of a whole run, then the same command again: is the result the same, byte for byte?

python -m bench.kill --corpus FOLDER --tokenizer tokenizer.json --rounds 20
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import Random

from bench.results import Result, Table
from bench.rounds import run
from bench.settings import Settings, settings
from regraft.core import Store, latest_run, open_artifact

CLAIM = "After kill -9 at twenty random moments the final corpus, and all before it, is identical."


def digests(path: Path) -> Mapping[str, str]:
    """Return step -> digest of the content of what the newest run in a store made."""
    store = Store(path)
    record = latest_run(store)
    assert record is not None, f"no finished run in {path}"
    return {step: open_artifact(store.path(id_)).manifest.content_digest for step, id_ in record.steps.items()}


def killed(given: Settings, store: Path, seconds: float, alone: bool) -> str:
    """Start a run, kill it after so many seconds, and return the step it was at.

    `alone` kills the main process and leaves its workers to notice; else all of them die at once.
    """
    with store.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            given.ours("end_to_end", store), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        if alone:
            process.kill()
        else:
            _kill_group(process.pid)
        process.wait()
    return _at(store)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _at(store: Path) -> str:
    unfinished = sorted(path.name.removeprefix(".tmp-").rpartition("-")[0] for path in store.glob(".tmp-*"))
    return ", ".join(unfinished) or "between steps"


def main() -> None:
    given = settings(__doc__, rounds=20, cores="0,1")
    store = given.work / "undisturbed"
    shutil.rmtree(store, ignore_errors=True)
    start = time.perf_counter()
    run(given.ours("end_to_end", store), given.cores, given.work / "undisturbed.log", {})
    whole = time.perf_counter() - start
    expected = digests(store)
    random = Random(0)
    rows: list[list[object]] = []
    for number in range(given.rounds):
        store = given.work / "killed"
        shutil.rmtree(store, ignore_errors=True)
        store.mkdir()
        moment = random.uniform(0.02, 0.98) * whole
        alone = bool(number % 2)
        at = killed(given, store, moment, alone)
        run(given.ours("end_to_end", store), given.cores, given.work / "again.log", {})
        found = digests(store)
        same = "yes" if found == expected else f"no: {sorted(s for s in expected if found.get(s) != expected[s])}"
        rows.append([number + 1, moment, at, "main process" if alone else "all processes", same])
        print(*rows[-1])
    identical = sum(row[-1] == "yes" for row in rows)
    Result(
        name="kill",
        claim=CLAIM,
        verdict=f"{identical} of {len(rows)} ended with the digests of an undisturbed run in {len(expected)} steps.",
        corpus=given.counts,
        settings={**given.shown(), "seconds of an undisturbed run": round(whole, 1)},
        tables=[Table(title="Kills", header=("", "after seconds", "in", "killed", "identical"), rows=rows)],
        pythons=given.pythons[:1],
    ).write(given.results)


if __name__ == "__main__":
    main()
