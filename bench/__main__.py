"""All benchmarks, one after the other: `python -m bench`. Makes the corpora and the tokenizer when they are missing.

Nothing else should run on the machine. The results go to `bench/results`.
"""

import argparse
import subprocess
import sys
from pathlib import Path

CORPORA = Path("bench/.work/corpora")
TOKENIZER = Path("bench/.work/tokenizer.json")
SHARES = ("0.1", "0.3", "1")
LARGE, MIDDLE, SMALL = CORPORA / "1", CORPORA / "0.3", CORPORA / "0.1"
MODELS, PASSAGES = Path("bench/.work/models"), Path("bench/.work/passages")
SMALL_MODEL, SMALL_TOKENIZER = MODELS / "llama-12m", Path("bench/.work/tokenizer-8192.json")
TRAINED = ("--models", str(MODELS), "--passages", str(PASSAGES))
COMMON = ("--tokenizer", str(TOKENIZER))
BENCHES = {
    "filters": ("--corpus", str(SMALL)),
    "dedup": ("--corpus", str(MIDDLE)),
    "tokenizing": ("--corpus", str(MIDDLE), *COMMON),
    "end_to_end": ("--corpus", str(MIDDLE), *COMMON),
    "growth": ("--corpus", str(CORPORA), *COMMON),
    "sampler": (),
    "topics": (),
    "scoring": ("--corpus", str(SMALL), "--model", "bench/.work/SmolLM2-135M"),
    "training": TRAINED,
    "training_overhead": TRAINED,
    "loss_memory": (),
    "client": ("--corpus", str(SMALL)),
    "client_kill": ("--corpus", str(SMALL)),
    "kill": ("--corpus", str(SMALL), *COMMON),
}


def python(module: str, *arguments: str) -> None:
    """Run a module of the benchmarks; stop when it fails."""
    subprocess.run([sys.executable, "-m", f"bench.{module}", *arguments], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("benches", nargs="*", default=list(BENCHES), help=f"of {', '.join(BENCHES)}")
    given = parser.parse_args()
    if not CORPORA.exists():
        shares = [word for share in SHARES for word in ("--share", share)]
        python("corpus", "--packages", "bench/.work/packages", "--out", str(CORPORA), *shares)
    if not TOKENIZER.exists():
        python("tokenizer", "--corpus", str(LARGE), "--out", str(TOKENIZER))
    if not SMALL_MODEL.exists():
        words = ("--words", "8192", "--out", str(SMALL_TOKENIZER))
        python("tokenizer", "--corpus", str(SMALL), *words)
        python("small_model", "--tokenizer", str(SMALL_TOKENIZER), "--out", str(SMALL_MODEL))
    for model in sorted(MODELS.iterdir()):
        if not (PASSAGES / model.name).exists():
            rows = ("--model", str(model), "--out", str(PASSAGES / model.name))
            python("passages", "--corpus", str(SMALL), *rows)
    for name in given.benches:
        python(name, *BENCHES[name])


if __name__ == "__main__":
    main()
