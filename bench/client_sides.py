"""The sides of `bench.client` and their runs: each against a new server, each in a process of its own, kept on disk."""

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.rounds import run
from bench.settings import PEERS
from bench.slot_server import Slots

LOOK = 0.5
"""Seconds between two looks at the memory, by a process that shares the server's core."""
LIMIT, LIFETIME = 300.0, 330.0
"""Seconds that a client may take, and after which its server ends by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A client, and how it is asked."""

    name: str
    script: tuple[str, ...]
    """Of Python: a module of ours, or a script of a peer."""
    environment: str = ""
    """Of a peer; empty for ours."""
    followed: bool = False
    """Whether each of its texts is judged."""
    texts: int = 960

    @property
    def requests(self) -> int:
        """How many the server sees."""
        return self.texts * (1 + self.followed)


def _ours(*script: str) -> tuple[str, ...]:
    return ("-m", "bench.client_ours", *script)


def _peer(name: str, *script: str) -> tuple[str, ...]:
    return (str(PEERS / f"{name}_client.py"), *script)


GENERATE = Side(name="regraft generate, 96", script=_ours("generate", "--at-once", "96"))
"""What the peers are compared with: it asks for texts and no more, as they do."""
STAGE = Side(name="regraft science_qa, 480 texts judged", script=_ours("stage"), followed=True, texts=480)
LONGER = Side(name="regraft science_qa, 960 texts judged", script=_ours("stage"), followed=True)
SIDES = (
    Side(name="aiohttp alone, 96", script=_peer("aiohttp", "--at-once", "96")),
    GENERATE,
    Side(name="curator, 96", script=_peer("curator", "--at-once", "96"), environment="curator"),
    STAGE,
    Side(name="datatrove, 96", script=_peer("datatrove", "--at-once", "96"), environment="datatrove-inference"),
    Side(name="regraft generate, 64", script=_ours("generate", "--at-once", "64")),
    Side(name="data-designer, 96", script=_peer("data_designer", "--at-once", "96"), environment="data-designer"),
    LONGER,
    Side(
        name="datatrove, 96, checkpoints",
        script=_peer("datatrove", "--at-once", "96", "--store"),
        environment="datatrove-inference",
    ),
    Side(name="distilabel, batches of 256", script=_peer("distilabel", "--at-once", "256"), environment="distilabel"),
    Side(name="distilabel, batches of 50", script=_peer("distilabel", "--at-once", "50"), environment="distilabel"),
)
"""In the order of a round: ours between the peers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The figures of one run."""

    cpu: float
    """Processor seconds, children included, without imports and preparation."""
    whole_cpu: float
    wall: float
    peak_bytes: int
    """Of the first process."""
    tree_bytes: int
    """Of all processes, as seen twice a second."""
    rows: int
    served: int
    utilisation: float
    span: float
    busy: float
    peak: int
    connections: int
    aborted: int
    load: float
    """Of the machine before, in processes that wanted a core."""

    @property
    def cpu_ms(self) -> float:
        """Of the client, for a request that the server saw."""
        return 1000 * self.cpu / self.served


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Runs clients, or reads in a scratch folder what a run found before."""

    work: Path
    asked: Path
    """Folder of texts and prompts."""
    venvs: str
    """Where the environments of peers are, `{}` for their names."""
    core: int
    """Of the client."""
    other: int
    """Of the server, and of whoever looks."""

    def python(self, side: Side) -> Path:
        """Return the interpreter of a side."""
        return Path(self.venvs.format(side.environment), "bin/python") if side.environment else Path(sys.executable)

    def side(self, side: Side, number: int) -> Found:
        """Return what a side found in a round."""
        where: list[str | Path] = ["--prompts", self.asked / "prompts.jsonl"]
        if side.script[0] == "-m":
            where += ["--texts", self.asked / "texts", "--count", str(side.texts)]
        command = [self.python(side), *side.script, *where]
        return self._kept(f"{side.name}, {number}", command, Slots())

    def memory(self, count: int, number: int) -> Found:
        """Return what so many requests took from a server that answers at once."""
        script = _ours("many", "--prompts", str(self.asked / "prompts.jsonl"), "--count", str(count))
        return self._kept(f"memory at {count}, {number}", [sys.executable, *script], Slots(mean=0.0))

    def found(self, name: str) -> list[Found]:
        """Return what the rounds of a side found, by its name."""
        paths = sorted((self.work / "found").glob(f"{name}, [0-9]*.json"))
        return [Found(**json.loads(path.read_text("utf-8"))) for path in paths]

    def _kept(self, name: str, command: Sequence[str | Path], rule: Slots) -> Found:
        kept = self.work / "found" / f"{name}.json"
        if not kept.exists():
            found = self._run(name, command, rule)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(asdict(found)) + "\n", "utf-8")
        return Found(**json.loads(kept.read_text("utf-8")))

    def _run(self, name: str, command: Sequence[str | Path], rule: Slots) -> Found:
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        load = float(Path("/proc/loadavg").read_text("ascii").split()[0])
        with serving(rule, self.work, self.other) as server:
            given = ["timeout", f"{LIMIT:.0f}", *command, "--server", server, "--out", out]
            measured = run(given, (self.core,), self.work / f"{name}.log", {}, LOOK)
            with urllib.request.urlopen(f"{server}/stats", timeout=10) as response:
                stats = json.load(response)
        spent = json.loads((out / "spent.json").read_text("utf-8"))
        shutil.rmtree(out)
        told = {key: stats[key] for key in ("served", "utilisation", "span", "busy", "peak", "connections", "aborted")}
        return Found(**spent, **told, tree_bytes=measured.peak_bytes, load=load)


@contextmanager
def serving(rule: Slots, work: Path, core: int) -> Generator[str]:
    """Yield the address of a new server on a core."""
    ready = work / "port"
    ready.unlink(missing_ok=True)
    command = ["taskset", "--cpu-list", str(core), sys.executable, "-m", "bench.slot_server", "--ready", ready]
    for name, value in asdict(rule).items():
        command += [f"--{name}", str(value)]
    server = subprocess.Popen([*command, "--lifetime", str(LIFETIME)])
    try:
        while not ready.exists():
            if server.poll() is not None:
                raise SystemExit("The server ended before it listened.")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{ready.read_text('ascii')}"
    finally:
        server.terminate()
        server.wait()
