"""How fast the libraries are by themselves, in bare loops over what the stages of a finished run were given.

python -m bench.limits --store STORE --corpus FOLDER --tokenizer tokenizer.json --out limits.json
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from tokenizers import Tokenizer

from bench.clusters import signatures
from bench.found import artifact
from regraft.core import Store
from regraft.corpus import tables
from regraft.curation.language.identify import detect


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stages were given."""

    store: Store
    corpus: Path
    tokenizer: Path

    def shards(self, step: str) -> list[Path]:
        """Return the files of the corpus that a step made."""
        return tables.shards(artifact(self.store, step).path, tables.DOCUMENTS_FOLDER)

    def texts(self, step: str) -> Iterator[list[str]]:
        """Yield the texts that a step made, shard by shard."""
        return (pq.read_table(path, columns=["text"])["text"].to_pylist() for path in self.shards(step))


def read(inputs: Inputs) -> float:
    """FastWARC: every page out of the archives."""
    start = time.perf_counter()
    for path in sorted((inputs.corpus / "pages").glob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response):
                record.reader.read()
    return time.perf_counter() - start


def extract(inputs: Inputs) -> float:
    """resiliparse: the main content of every page."""
    return _summed(inputs.texts("read"), lambda pages: [extract_plain_text(p, main_content=True) for p in pages])


def language(inputs: Inputs) -> float:
    """fastText: the language of every text, as far as the filter looks."""
    return _summed(inputs.texts("extract"), lambda texts: [detect(text) for text in texts])


def deduplicate(inputs: Inputs) -> float:
    """Daft: the normal form and the MinHash of every text."""
    return _summed(inputs.texts("filter"), signatures)


def tokenize(inputs: Inputs) -> float:
    """tokenizers: every text encoded, in batches of 256."""
    encode = Tokenizer.from_file(str(inputs.tokenizer)).encode_batch_fast
    return _summed(
        inputs.texts("decontaminate"),
        lambda texts: [encode(texts[i : i + 256], add_special_tokens=False) for i in range(0, len(texts), 256)],
    )


def copy(inputs: Inputs, step: str) -> float:
    """PyArrow: every shard read, and written as Parquet with zstd."""
    start = time.perf_counter()
    for path in inputs.shards(step):
        pq.write_table(pq.read_table(path), pa.BufferOutputStream(), compression="zstd")
    return time.perf_counter() - start


def _summed(shards: Iterator[list[str]], work: Callable[[list[str]], Any]) -> float:
    """Return the seconds of the work alone, the reading of its input left out."""
    seconds = 0.0
    for texts in shards:
        start = time.perf_counter()
        work(texts)
        seconds += time.perf_counter() - start
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("store", "corpus", "tokenizer", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    inputs = Inputs(Store(given.store), given.corpus, given.tokenizer)
    found = {
        "read": {"FastWARC": read(inputs)},
        "extract": {"resiliparse": extract(inputs), "copy of the input": copy(inputs, "read")},
        "filter": {"fastText": language(inputs), "copy of the input": copy(inputs, "extract")},
        "deduplicate": {"Daft MinHash": deduplicate(inputs), "copy of the input": copy(inputs, "filter")},
        "decontaminate": {"copy of the input": copy(inputs, "deduplicate")},
        "tokenize": {"tokenizers": tokenize(inputs)},
    }
    given.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
