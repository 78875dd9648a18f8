"""Collect the documents of the experiment `steering` from the corpus of the benchmarks, without its planted copies.

    python -m bench.corpus --packages CACHE --out CORPORA --share 1
    python docs/experiments/steering_corpus.py CORPORA/1 manuals

Chinese documents are taken all; English ones of some manuals, by a hash up to a bound for each.
"""

import gzip
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

from backports import zstd

ENGLISH = (
    "debian-handbook", "git-doc", "installation-guide-amd64", "libreoffice-help-en-us", "linux-doc-6.1",
    "openjdk-17-doc", "postgresql-doc-15", "python3.11-doc",
)  # fmt: skip
MOST = 1_500_000
"""Characters of each English manual."""
SMALLEST = 100_000
"""Characters of a manual that is a topic by itself; the others of a language are one topic together."""
SCRIPTS = {"libreoffice-help-zh-cn": "LibreOffice, simplified", "libreoffice-help-zh-tw": "LibreOffice, traditional"}


def main(corpus: Path, out: Path) -> None:
    """Write `zh.jsonl.gz` and `en.jsonl.gz`: id, text, language and manual of each page."""
    planted = {json.loads(line)["copy"] for line in (corpus / "planted.jsonl").read_text("utf-8").splitlines()}
    rows = [row for path in sorted((corpus / "text").glob("*.jsonl.zst")) for row in _rows(path)]
    rows = [row for row in rows if row["id"] not in planted and row["language"] in ("zh", "en")]
    rows = [row for row in rows if row["language"] == "zh" or "-zh-" not in row["source"]]
    rows.sort(key=lambda row: hashlib.sha256(row["id"].encode()).hexdigest())
    sizes = Counter[tuple[str, str]]()
    for row in rows:
        row["manual"] = SCRIPTS.get(row["source"], row["source"]) if row["language"] == "zh" else row["source"]
        sizes[row["language"], row["manual"]] += len(row["text"])
    taken = Counter[tuple[str, str]]()
    out.mkdir(parents=True, exist_ok=True)
    for language in ("zh", "en"):
        with gzip.GzipFile(out / f"{language}.jsonl.gz", "wb", mtime=0) as file:
            for row in (row for row in rows if row["language"] == language):
                manual = row["manual"] if sizes[language, row["manual"]] >= SMALLEST else "other manuals"
                if language == "zh" or (manual in ENGLISH and taken[language, manual] < MOST):
                    taken[language, manual] += len(row["text"])
                    line = {"id": row["id"], "text": row["text"], "language": language, "manual": manual}
                    file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    for (language, manual), size in sorted(taken.items()):
        print(f"{language} {manual}: {size:,} characters")


def _rows(path: Path) -> list[dict[str, str]]:
    with zstd.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
