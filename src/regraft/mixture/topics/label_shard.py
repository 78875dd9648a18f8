"""The kernel of `label_topics`: shard by shard, a batch of documents at a time, so that memory stays small."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from regraft.core import TIMING, ConfigError, Context, Metrics, canonical
from regraft.core.fingerprint import differences
from regraft.corpus import tables
from regraft.corpus.rows import num_documents
from regraft.corpus.tokens import NO_TOPIC
from regraft.corpus.work import Counts, each
from regraft.mixture.topics.cautions import flooded
from regraft.mixture.topics.classifier import DECIMALS, Classifier, Means, Predictor
from regraft.mixture.topics.label import LabelConfig
from regraft.mixture.topics.learning import TOPICS_FILE, folder_of
from regraft.mixture.topics.taxonomy import OTHERS, of_language

SPEED_FILE = "speed.json"
_BATCH = 512
"""Documents; no setting, since it changes nothing but memory."""


def label(config: LabelConfig, ctx: Context) -> Metrics:
    """Write the annotation and return how many documents have each topic."""
    given = ctx.input("classifier")
    settings: Any = given.manifest.config
    if other := differences(settings["classifier"], canonical(config.classifier), "classifier"):
        raise ConfigError(f"{given.id} was trained with other settings than label_topics is given: {'; '.join(other)}.")
    known: dict[str, list[str]] = json.loads(given.file(TOPICS_FILE).read_text("utf-8"))
    corpus = ctx.input("docs")
    shards = {path.stem: path for path in tables.shards(corpus.path, tables.DOCUMENTS_FOLDER)}
    work = LabelShard(
        config=config,
        threshold=settings["threshold"],
        folders={language: folder_of(given.path, language) for language in known},
        topics=known,
        means=Means(device=ctx.execution.device, threads=max(1, ctx.execution.workers // len(shards))),
    )
    started = time.monotonic()
    try:
        done = each(work, shards, ctx, "label", num_documents=num_documents(corpus))
    finally:
        _opened.cache_clear()  # of what was labelled in this process
    seconds = time.monotonic() - started
    files = {tables.ANNOTATION_FILE: tables.TOPICS}
    if config.keep_probabilities:
        files[tables.PROBABILITIES_FILE] = tables.PROBABILITIES
    for name, schema in files.items():
        with tables.Writer(ctx.out / name, schema) as writer:
            for piece in done.values():
                for batch in tables.batches(piece.folder / name, schema, _BATCH):
                    writer.write(batch)
    counts = Counter[str]()
    for piece in done.values():
        counts.update(piece.counts)
    documents = counts.total()
    for caution in flooded(counts[OTHERS], documents - counts[NO_TOPIC], settings["threshold"]):
        ctx.log.warning("label_topics: %s", caution)
    (ctx.out / TIMING).mkdir()
    speed = {"seconds": seconds, "documents_per_second": documents / seconds if seconds else 0.0}
    (ctx.out / TIMING / SPEED_FILE).write_text(json.dumps(speed), "utf-8")
    listed = dict.fromkeys([*(topic for topics in known.values() for topic in topics), OTHERS, *sorted(counts)])
    return {"documents": documents, **{f"documents: {topic}": counts[topic] for topic in listed}}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelShard:
    """Labels the documents of one shard; returns how many have each topic."""

    config: LabelConfig
    threshold: float
    folders: Mapping[str, Path]
    """Language -> where its classifier lies."""
    topics: Mapping[str, Sequence[str]]
    """Language -> the topics that it knows."""
    means: Means

    def __call__(self, item: Path, out: Path) -> Counts:
        counts = Counter[str]()
        columns = ["id", "text", "source", "language"]
        with (
            tables.Writer(out / tables.ANNOTATION_FILE, tables.TOPICS) as topics,
            tables.Writer(out / tables.PROBABILITIES_FILE, tables.PROBABILITIES) as probabilities,
        ):
            for batch in tables.batches(item, tables.DOCUMENTS, _BATCH, columns):
                rows = batch.to_pylist()
                found = self._probabilities(rows)
                labels = [_label(row, self.threshold) for row in found]
                counts.update(topic for topic, _ in labels)
                topics.write_rows(
                    {"id": row["id"], "topic": t, "probability": p} for row, (t, p) in zip(rows, labels, strict=True)
                )
                if self.config.keep_probabilities:
                    probabilities.write_rows(
                        {"id": row["id"], "topics": list(by_topic), "probabilities": list(by_topic.values())}
                        for row, by_topic in zip(rows, found, strict=True)
                    )
        return counts

    def _probabilities(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
        """Return how probable each topic of each document is; nothing for one that is not labelled."""
        found: list[dict[str, float]] = [{} for _ in rows]
        members: dict[str, list[int]] = {}
        for index, row in enumerate(rows):
            language = of_language(row["language"], list(self.topics))
            if language is not None and (not self.config.sources or row["source"] in self.config.sources):
                members.setdefault(language, []).append(index)
        for language, indices in members.items():
            predictor = _opened(self.config.classifier, self.folders[language], self.means)
            predicted = predictor.predict([rows[i]["text"] for i in indices]).round(DECIMALS).tolist()
            for index, row in zip(indices, predicted, strict=True):
                found[index] = dict(zip(self.topics[language], row, strict=True))
        return found


def _label(probabilities: Mapping[str, float], threshold: float) -> tuple[str, float]:
    """Return the most probable topic, the first of equal ones, and its probability."""
    if not probabilities:
        return NO_TOPIC, 1.0
    topic = max(probabilities, key=probabilities.__getitem__)
    return (topic if probabilities[topic] >= threshold else OTHERS), probabilities[topic]


@cache
def _opened(classifier: Classifier, folder: Path, means: Means) -> Predictor:
    return classifier.open(folder, means)
