"""On what a benchmark ran: never where its files lie."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

PACKAGES = (
    "regraft", "datatrove", "daft", "tokenizers", "resiliparse", "fastwarc", "pyarrow", "numpy", "scipy", "spacy",
    "torch", "transformers", "accelerate", "llamafactory", "litgpt", "lightning",
    "aiohttp", "uvloop", "bespokelabs-curator", "data-designer", "distilabel", "litellm",
)  # fmt: skip


def machine(pythons: Sequence[Path]) -> dict[str, object]:
    """Return processor, memory, commit and date, and the versions in each environment."""
    cpuinfo = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "processor": f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": [_versions(python) for python in pythons],
    }


def commit() -> str:
    """Return the commit of the checkout; with `+` if code has changed since."""
    root = Path(__file__).parent
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
    code = ["git", "status", "--porcelain", "--", "../src", ".", ":!results"]
    changed = subprocess.run(code, cwd=root, capture_output=True, text=True, check=True)
    return head.stdout.strip() + ("+" if changed.stdout else "")


def _versions(python: Path) -> dict[str, str]:
    code = (
        "import json, sys; from importlib.metadata import distributions as all; "
        "print(json.dumps({d.name.lower(): d.version for d in all() if d.name.lower() in sys.argv}))"
    )
    done = subprocess.run([python, "-c", code, *PACKAGES], capture_output=True, text=True, check=True)
    return dict(sorted(json.loads(done.stdout).items()))
