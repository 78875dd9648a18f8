"""Token ids with datatrove: every document tokenized and written, in the order in which it is read."""

import argparse
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer


def tokenize(corpus: Path, out: Path, tokenizer: Path, workers: int) -> None:
    """Write `out/tokens`, one file a shard of `corpus`, without shuffling."""
    shards = len(list(corpus.glob("*.jsonl.zst")))
    pipeline = [
        JsonlReader(str(corpus), glob_pattern="*.jsonl.zst"),
        DocumentTokenizer(
            str(out / "tokens"), str(tokenizer), eos_token="<|endoftext|>", shuffle_documents=False, batch_size=1000
        ),
    ]
    LocalPipelineExecutor(pipeline, tasks=shards, workers=min(workers, shards), logging_dir=str(out / "logs")).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of *.jsonl.zst")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True, help="a tokenizer.json")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    tokenize(given.corpus.resolve(), given.out.resolve(), given.tokenizer.resolve(), given.workers)
