"""kill -9 and SIGTERM of a synthesis with 64 requests in flight: what is paid twice, and is a budget kept?

python -m bench.client_kill --texts FOLDER
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench.client_sides import serving
from bench.client_texts import write
from bench.results import Result, Table
from bench.slot_server import Slots

CLAIM = (
    "kill -9 at ten moments with 64 requests in flight: paid twice at most the requests in flight. SIGTERM: none. A "
    "rerun with another judge's bar: no request at all. A budget is never exceeded by more than one response, also "
    "after resume."
)
RULE = Slots(mean=0.4)
LONGEST_S = 300.0
"""Of a run that is left alone."""


def stage(server: str, texts: Path, count: int, out: Path, *more: str) -> "subprocess.Popen[bytes]":
    """Start the stage `science_qa` with a judge."""
    out.mkdir(parents=True, exist_ok=True)
    script = [sys.executable, "-m", "bench.client_ours", "stage", "--server", server, "--texts", str(texts)]
    with (out / "log").open("ab") as log:
        given = [*script, "--count", str(count), "--out", str(out), *more]
        return subprocess.Popen(given, stdout=log, stderr=subprocess.STDOUT)


def seen(server: str) -> dict[str, Any]:
    """Return what the server says of itself."""
    with urllib.request.urlopen(f"{server}/stats", timeout=10) as response:
        return json.load(response)


def settled(server: str) -> dict[str, Any]:
    """Return it once nothing is in its slots."""
    while (found := seen(server))["running"]:
        time.sleep(0.05)
    return found


def stopped(server: str, child: "subprocess.Popen[bytes]", how: signal.Signals, after: int) -> tuple[int, int]:
    """Send a signal once so many requests are answered; return how many were, and how many were in flight."""
    while child.poll() is None and seen(server)["served"] < after:
        time.sleep(0.005)
    found = seen(server)
    child.send_signal(how)
    child.wait(LONGEST_S)
    return int(found["served"]), int(found["running"])


def documents(out: Path) -> int:
    """Return how many texts the stage has kept."""
    return int(json.loads((out / "spent.json").read_text("utf-8"))["rows"])


def one(how: signal.Signals, changed: bool, after: int, texts: Path, count: int, work: Path) -> list[object]:
    """Stop a run, run it to its end, then with another bar; with that bar first if changed. Return the row."""
    out, bars = work / "out", [[], ["--bar", "10"]]
    first, second = reversed(bars) if changed else bars
    shutil.rmtree(out, ignore_errors=True)
    with serving(RULE, work, 1) as server:
        answered, in_flight = stopped(server, stage(server, texts, count, out), how, after)
        settled(server)
        code = stage(server, texts, count, out, *first).wait(LONGEST_S)
        paid, kept = int(settled(server)["served"]), documents(out)
        again = stage(server, texts, count, out, *second).wait(LONGEST_S)
        more, then = int(settled(server)["served"]) - paid, documents(out)
    assert (code, again) == (0, 0), f"a rerun failed, see {out}/log"
    by = "another bar" if changed else "the same"
    return [how.name, answered, in_flight, by, paid, paid - 2 * count, kept, more, then]


def budgeted(share: float, needed: int, after: int | None, texts: Path, count: int, work: Path) -> list[object]:
    """Run one that has a budget to its end, killed once if `after` says when; return the row of the table."""
    out, budget = work / "out", round(share * needed)
    shutil.rmtree(out, ignore_errors=True)
    with serving(RULE, work, 1) as server:
        given = ("--budget", str(budget))
        answered, in_flight = "not killed", ""
        if after is not None:
            answered, in_flight = stopped(server, stage(server, texts, count, out, *given), signal.SIGKILL, after)
            settled(server)
        code = stage(server, texts, count, out, *given).wait(LONGEST_S)
        found = settled(server)
    charged = int(found["tokens"])
    return [
        budget,
        answered,
        in_flight,
        int(found["served"]),
        charged,
        charged - budget,
        "ended" if code == 0 else code,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=Path("bench/.work/corpora/0.1"), help="of `bench.corpus`")
    parser.add_argument("--work", type=Path, default=Path("bench/.work/client_kill"), help="scratch folder")
    parser.add_argument("--results", type=Path, default=Path("bench/results"), help="folder for what is found")
    parser.add_argument("--texts", type=int, default=200, help="each is judged too")
    parser.add_argument("--kills", type=int, default=10, help="by each signal")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    work, count = given.work.absolute(), given.texts
    shutil.rmtree(work, ignore_errors=True)
    write(given.corpus, count, work / "asked")
    texts = work / "asked" / "texts"
    draw = random.Random(given.seed)
    rows: list[list[object]] = []
    for how in (signal.SIGKILL, signal.SIGTERM):
        for i in range(given.kills):
            rows.append(one(how, i % 2 == 1, draw.randrange(1, 2 * count - 64), texts, count, work))
            print(*rows[-1], flush=True)
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    with serving(RULE, work, 1) as server:
        stage(server, texts, count, out).wait(LONGEST_S)
        needed = int(settled(server)["tokens"])
    budgets = [
        budgeted(share, needed, after, texts, count, work)
        for share in (0.4, 0.6, 0.8)
        for after in (None, draw.randrange(1, round(share * count)))
    ]
    twice = {how: [int(str(row[5])) for row in rows if row[0] == how] for how in ("SIGKILL", "SIGTERM")}
    over = max(int(str(row[5])) for row in budgets)
    Result(
        name="client_kill",
        claim=CLAIM,
        verdict=f"{given.kills} times kill -9: at most {max(twice['SIGKILL'])} of {2 * count} requests "
        f"paid twice (64 in flight at most); {given.kills} times SIGTERM: at most "
        f"{max(twice['SIGTERM'])}; requests of reruns with another bar: {sum(int(str(r[7])) for r in rows)}; "
        f"{len(budgets)} budgets, every other run killed once: the most charged above a budget is {over:,} tokens.",
        corpus={"texts": count, "requests, judgements included": 2 * count},
        pythons=(Path(sys.executable),),
        settings={"server": RULE, "in flight at most": 64, "seed": given.seed},
        tables=[
            Table(
                title="Stopped and run again",
                header=("signal", "answered before", "in flight then", "run again with", "paid for in all",
                        "of them twice", "texts kept", "requests of a rerun with the other bar", "texts kept then"),
                rows=rows,
            ),
            Table(
                title="Budgets, in tokens, every other run killed with kill -9 and run again",
                header=("budget", "answered before", "in flight then", "paid for in all", "charged by the server",
                        "above the budget", "the run"),
                rows=budgets,
            ),
        ],
        notes=(
            "The server counts what it serves, whether or not anybody is there to receive it: that is what is paid.",
            "The judge's bar is 10 or the default. With another bar nothing of the step is the same, and what was paid "
            "before the signal is read from the cache of the endpoint.",
            "What is in flight is the server's count a moment before the signal.",
            "What was in flight at a kill is charged against the budget at its longest, so less is asked afterwards "
            "than the server's own account would allow.",
        ),
    ).write(given.results)  # fmt: skip


if __name__ == "__main__":
    main()
