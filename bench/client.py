"""The client for model endpoints beside curator, datatrove, DataDesigner and distilabel, on a server of 64 slots.

python -m bench.client --corpus FOLDER --rounds 3

Every side asks 960 requests of a new server with the same service times. What is measured is the share of the slots
that it keeps busy, its processor time and its memory; at last the memory of ours by the number of requests. A run that
is in the scratch folder already is not repeated.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

from bench import client_texts
from bench.client_sides import GENERATE, LONGER, SIDES, STAGE, Found, Runs, Side
from bench.results import Result, Table
from bench.slot_server import Slots

CLAIM = (
    "960 requests to 64 slots: slots busy at the bound, with generation, judgement and verification as one stream; at "
    "most 1 ms of processor time a request with store and Parquet on; memory flat from 1,000 to 100,000 requests."
)
TRIES, LATE = 100, 0.002
"""How often the bound of a stream with judgements is simulated; seconds by which its requests come late, at most."""
MOST_MS = 1.0
COUNTS = (1_000, 10_000, 100_000)
PACKAGES = {
    "curator": ("bespokelabs-curator", "litellm", "openai", "aiohttp", "httpx"),
    "datatrove-inference": ("datatrove", "aiosqlite", "orjson"),
    "data-designer": ("data-designer", "httpx", "pandas"),
    "distilabel": ("distilabel", "openai", "httpx"),
}
NOTES = (
    "All ask for the same 960 texts (480 and 480 judgements of them, 960 and 960): prompts of 1.9 kB made from "
    "snippets of Debian documentation, answers of 1.4 kB that pass every check, so that each text is judged. The "
    "server runs on the other core, serves in the order of arrival and draws the n-th service time for the n-th "
    "request that gets a slot: lognormal, mean 1 s, sigma 0.6, the same draws in every run.",
    "The bound is what a client would keep busy that loses no time, simulated on the same draws: 64 slots drain at the "
    "end. Where judgements follow, and go before texts that wait, the drain is longer, since the last texts have "
    "theirs still to come. How much longer is luck: it hangs on who gets the last long draws, and 2 ms decide that. So "
    "that bound is simulated 100 times with requests up to 2 ms late: mean, least and most.",
    "Processor time is that of the client and its children, user and system, over the requests that the server saw. "
    "It begins after the imports, which `imports and start` has, in seconds; distilabel imports again in each of its "
    "processes, and that counts. Ours holds every commit of the store, and the Parquet that is written afterwards; "
    "in the stage also choosing seeds, prompts, checks, documents, manifests.",
    "Memory in the first table is that of all processes of a side together, looked at twice a second.",
    "curator's store and datatrove's and DataDesigner's JSON lines or Parquet are on; datatrove keeps answers safe "
    "from a kill only with checkpoints, and DataDesigner by groups of 1,000 rows, here all of them.",
    "Requests in flight at once are 96 where that can be set; the stage has the client's default of 64. distilabel has "
    "batches instead, of 50 by default, and the next waits for the last one.",
    "At 64 requests a second each wakes a process that slept, with cold caches: the last table has what the same "
    "client takes where answers come at once.",
    "What peers need and do not ask for: datatrove httpx, aiosqlite, aiofiles, xxhash and orjson (without httpx it "
    "waits for the server for eight minutes and more), distilabel requests, curator the tokenizers that litellm "
    "brings, which it fetches otherwise.",
    "The memory by the number of requests is that of `lm.client.generate` alone, given a generator of requests, no "
    "list of them and no outcome to keep, with its store on; the server answers at once. The stage also holds its "
    "seeds, so its memory grows with the number of texts.",
)


def bound(side: Side) -> float:
    """Return the share of slots that an ideal client keeps busy if no request has to wait for another."""
    return Slots().bound(side.requests, followed=False)


def chained(side: Side) -> str:
    """Return the same where judgements follow texts: mean and range, for which request gets which draw is luck."""
    if not side.followed:
        return ""
    found = chains(side)
    return f"{mean(found):.3f} ({min(found):.3f} to {max(found):.3f})"


def chains(side: Side) -> list[float]:
    """Return what an ideal client keeps busy where judgements follow, for several draws."""
    return [Slots().bound(side.texts, followed=True, late=LATE, luck=luck) for luck in range(TRIES)]


def ratios(side: Sequence[Found], ours: Sequence[Found]) -> list[float]:
    """Return how many times our processor time a request takes a side, in each round that both ran."""
    return [one.cpu_ms / other.cpu_ms for one, other in zip(side, ours, strict=False)]


def table(runs: Runs) -> Table:
    """Return a row for each side."""
    header = ("", "rounds", "requests", "slots busy", "round by round", "bound", "bound where judgements follow",
              "ms of processor time a request", "round by round", "times ours, generate", "times ours, stage",
              "imports and start, s", "memory, MB", "connections", "most in the house")  # fmt: skip
    ours, stage = runs.found(GENERATE.name), runs.found(STAGE.name)
    return Table(
        title="Side by side",
        header=header,
        rows=[_row(side, found, ours, stage) for side in SIDES if (found := runs.found(side.name))],
    )


def _row(side: Side, found: Sequence[Found], ours: Sequence[Found], stage: Sequence[Found]) -> list[object]:
    return [
        side.name,
        len(found),
        found[0].served,
        f"{median(one.utilisation for one in found):.3f}",
        " ".join(f"{one.utilisation:.3f}" for one in found),
        f"{bound(side):.3f}",
        chained(side),
        median(one.cpu_ms for one in found),
        " ".join(f"{one.cpu_ms:.2f}" for one in found),
        median(ratios(found, ours)),
        median(ratios(found, stage)),
        median(one.whole_cpu - one.cpu for one in found),
        max(one.tree_bytes for one in found) / 1e6,
        found[-1].connections,
        found[-1].peak,
    ]


def memory(runs: Runs) -> Table:
    """Return a row for each number of requests."""
    rows: list[list[object]] = []
    for count in COUNTS:
        if found := runs.found(f"memory at {count}"):
            peaks = [one.peak_bytes / 1e6 for one in found]
            speed = median(one.served / one.wall for one in found)
            each = " ".join(f"{peak:.1f}" for peak in peaks)
            rows.append([f"{count:,}", f"{median(peaks):.1f}", each, speed, median(one.cpu_ms for one in found)])
    header = ("requests", "peak memory, MB", "round by round", "requests/s", "ms of processor time a request")
    return Table(title="Memory of the client by the number of requests, no latency", header=header, rows=rows)


def verdict(runs: Runs) -> str:
    """Return the figures of the claim."""
    parts: list[str] = []
    for side in (GENERATE, STAGE, LONGER):
        found = runs.found(side.name)
        busy, cpu = median(one.utilisation for one in found), median(one.cpu_ms for one in found)
        where = f"{chained(side)} where judgements follow" if side.followed else f"{bound(side):.3f}"
        met = "" if cpu <= MOST_MS else f", NOT at most {MOST_MS:g}"
        least = min(chains(side)) if side.followed else bound(side) - LATE
        below = f", NOT at it but {least - busy:.3f} below" if busy < least else ""
        parts.append(f"{side.name}: {busy:.3f} of the slots busy, bound {where}{below}, {cpu:.2f} ms a request{met}")
    for side in SIDES:
        if side.environment and (found := runs.found(side.name)):
            times = median(ratios(found, runs.found(GENERATE.name)))
            parts.append(f"{side.name}: {times:.2f} times the processor time of generate")
    if peaks := [median(one.peak_bytes for one in f) for c in COUNTS if (f := runs.found(f"memory at {c}"))]:
        parts.append(f"memory times {peaks[-1] / peaks[0]:.2f} from the least to the most requests")
    return f"{'; '.join(parts)}."


def checked(side: Side, found: Found) -> Found:
    """Return what a run found.

    Raises:
        SystemExit: it asked or wrote less than it was to, so its figures say nothing.
    """
    if (found.rows, found.served) != (side.texts, side.requests) or found.aborted:
        raise SystemExit(f"{side.name}: {found.rows} rows, {found.served} requests, {found.aborted} aborted")
    return found


def tell(runs: Runs, side: Side, number: int) -> None:
    """Run a side and print what it found; a peer that fails is left out of the round."""
    try:
        found = checked(side, runs.side(side, number))
    except SystemExit as error:
        if not side.environment:
            raise
        print(f"{side.name} failed: {error}", flush=True)
    else:
        print(f"{side.name}: {found.utilisation:.3f} busy, {found.cpu_ms:.2f} ms a request", flush=True)


def versions(runs: Runs, side: Side) -> str:
    """Return the versions in the environment of a peer."""
    code = (
        "import sys; from importlib.metadata import version; "
        "print(*(f'{name} {version(name)}' for name in sys.argv[1:]), sep=', ')"
    )
    command = [runs.python(side), "-c", code, *PACKAGES[side.environment]]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def result(runs: Runs, given: argparse.Namespace) -> Result:
    """Return what all rounds found."""
    peers = {side.environment: side for side in SIDES if side.environment and runs.found(side.name)}
    loads = [one.load for side in SIDES for one in runs.found(side.name)]
    return Result(
        name="client",
        claim=CLAIM,
        verdict=verdict(runs),
        corpus={"prompts and documents": f"{LONGER.texts}, from {given.corpus.name} of the corpus"},
        settings={
            "cores": "1 for the client, 1 for the server",
            "load before a run": f"{min(loads):.1f} to {max(loads):.1f}",
            **{name: versions(runs, side) for name, side in peers.items()},
        },
        tables=[table(runs), memory(runs)],
        notes=(*NOTES, *given.note),
        pythons=[Path(sys.executable)],
    )


def main() -> None:
    given = _arguments()
    work = given.work.absolute()
    runs = Runs(work=work, asked=work / "asked", venvs=given.venvs, core=given.cores[0], other=given.cores[1])
    if not (runs.asked / "prompts.jsonl").exists():
        client_texts.write(given.corpus, LONGER.texts, runs.asked)
    os.sched_setaffinity(0, {runs.other})  # to look at the memory takes time
    for number in range(given.rounds):
        for side in SIDES:
            if side.name in given.sides and (not side.environment or number < given.peer_rounds):
                tell(runs, side, number)
    for number in range(given.memory_rounds):
        for count in COUNTS:
            found = runs.memory(count, number)
            print(f"{count} requests: {found.peak_bytes / 1e6:.1f} MB, {found.cpu_ms:.2f} ms a request", flush=True)
    result(runs, given).write(given.results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that bench.corpus made, of one share")
    parser.add_argument("--work", type=Path, default=Path("bench/.work/client"))
    parser.add_argument("--results", type=Path, default=Path("bench/results"))
    parser.add_argument("--venvs", default="bench/.venv-{}", help="environments of the peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-rounds", type=int, default=2)
    parser.add_argument("--memory-rounds", type=int, default=2)
    parser.add_argument("--cores", type=int, nargs=2, default=[0, 1], help="of the client and of the server")
    parser.add_argument("--note", action="append", default=[], help="to be read with the result")
    names = [side.name for side in SIDES]
    parser.add_argument("--sides", nargs="*", choices=names, default=names, help="that run; all that have run count")
    return parser.parse_args()


if __name__ == "__main__":
    main()
