"""Token ids with the bare `tokenizers` library: documents read, encoded, counted and forgotten. The limit."""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import pyarrow.parquet as pq
from tokenizers import Tokenizer

BATCH = 256


@cache
def opened(path: Path) -> Tokenizer:
    """Return the tokenizer of this process."""
    return Tokenizer.from_file(str(path))


def count(shard: Path, tokenizer: Path) -> int:
    """Return the number of tokens in a shard."""
    encode = opened(tokenizer).encode_batch_fast
    batches = pq.ParquetFile(shard).iter_batches(BATCH, columns=["text"])
    return sum(
        len(found.ids) for batch in batches for found in encode(batch["text"].to_pylist(), add_special_tokens=False)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of *.parquet with a column `text`")
    parser.add_argument("--tokenizer", type=Path, required=True, help="a tokenizer.json")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = "1"  # as many processes as cores, each with one thread
    shards = sorted(given.corpus.glob("*.parquet"))
    work = partial(count, tokenizer=given.tokenizer)
    if given.workers == 1:
        total = sum(map(work, shards))
    else:
        with ProcessPoolExecutor(given.workers) as pool:
            total = sum(pool.map(work, shards))
    print(f"{total:,} tokens")
