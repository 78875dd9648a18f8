"""Near-duplicates with datatrove, end to end: signatures, buckets, clusters, and the documents that stay, written."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

CONFIG = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)


@dataclass(frozen=True)
class Pipeline:
    """The four stages over one corpus."""

    corpus: Path
    out: Path
    workers: int
    language: str

    def sign(self) -> None:
        """Write the signatures, and which documents share a bucket."""
        signatures = str(self.out / "signatures")
        self._run("sign", [self._reader(), MinhashDedupSignature(signatures, CONFIG, self.language)], self._shards())
        buckets = MinhashDedupBuckets(signatures, str(self.out / "buckets"), config=CONFIG)
        self._run("buckets", [buckets], CONFIG.num_buckets)

    def remove(self, clusters: bool = False) -> None:
        """Write the documents that stay to `kept`, the others to `removed`; with the cluster of each if asked for."""
        folder = str(self.out / ("numbered" if clusters else "clusters"))
        found = MinhashDedupCluster(str(self.out / "buckets"), folder, config=CONFIG, save_cluster_id=clusters)
        self._run(f"clusters-{clusters}", [found], 1)
        filter_ = MinhashDedupFilter(folder, self._writer("removed"), load_cluster_ids=clusters)
        self._run(f"filter-{clusters}", [self._reader(), filter_, self._writer("kept")], self._shards())

    def _reader(self) -> JsonlReader:
        return JsonlReader(str(self.corpus), glob_pattern="*.jsonl.zst")

    def _writer(self, folder: str) -> JsonlWriter:
        return JsonlWriter(str(self.out / folder), compression="zstd")

    def _shards(self) -> int:
        return len(list(self.corpus.glob("*.jsonl.zst")))

    def _run(self, name: str, pipeline: list[PipelineStep], tasks: int) -> None:
        logs = str(self.out / "logs" / name)
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=min(self.workers, tasks), logging_dir=logs).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of *.jsonl.zst")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--language", default="eng", help="of the word splitter, for all documents")
    parser.add_argument("--clusters", action="store_true", help="after a run: say also which cluster documents are in")
    given = parser.parse_args()
    asked = Pipeline(given.corpus.resolve(), given.out.resolve(), given.workers, given.language)
    if not given.clusters:
        asked.sign()
    asked.remove(given.clusters)
