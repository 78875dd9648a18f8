"""The kernel of `measure_texts`: shard by shard, a batch of documents at a time."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from regraft.core import Context, Metrics
from regraft.corpus import tables
from regraft.corpus.rows import num_documents
from regraft.corpus.words import num_sentences, words
from regraft.corpus.work import Counts, Done, each
from regraft.mixture.measures.lexical import compression_ratio, lexical_diversity, math_density
from regraft.mixture.measures.measure import TextMeasuresConfig
from regraft.mixture.measures.readability import reading_ease, sentence_length

MEASURES = tuple(name for name in tables.MEASURES.names if name != "id")
READING_EASE_LANGUAGE = "en"
"""The constants of the formula hold for this language alone."""
_BATCH = 256
"""Documents; no setting, since it changes nothing but memory."""


def measure(config: TextMeasuresConfig, ctx: Context) -> Metrics:
    """Write the annotation and return the means by language."""
    docs = ctx.input("docs")
    shards = {path.stem: path for path in tables.shards(docs.path, tables.DOCUMENTS_FOLDER)}
    done = each(MeasureTexts(config), shards, ctx, "measure texts", num_documents=num_documents(docs))
    with tables.Writer(ctx.out / tables.ANNOTATION_FILE, tables.MEASURES) as writer:
        for piece in done.values():
            writer.write(tables.read(piece.folder / tables.ANNOTATION_FILE, tables.MEASURES))
    return {"documents": sum(piece.counts["documents"] for piece in done.values()), **_means(done.values())}


def measures_of(text: str, language: str, config: TextMeasuresConfig) -> dict[str, float]:
    """Return what is measured of a text, by the names of the columns; NaN where a measure is not defined."""
    plain = [word.lower() for word in words(text) if any(map(str.isalnum, word))]
    sentences = num_sentences(text)
    return {
        "compression_ratio": compression_ratio(text, config.compression_level),
        "lexical_diversity": lexical_diversity(plain, config.diversity_threshold),
        "sentence_length": sentence_length(plain, sentences),
        "reading_ease": reading_ease(text, sentences) if language == READING_EASE_LANGUAGE else math.nan,
        "math_density": math_density(text),
    }


@dataclass(frozen=True, slots=True)
class MeasureTexts:
    """Measures the documents of one shard; returns the sum of each measure by language, and of how many documents."""

    config: TextMeasuresConfig

    def __call__(self, item: Path, out: Path) -> Counts:
        values: defaultdict[str, list[float]] = defaultdict(list)
        documents = 0
        with tables.Writer(out / tables.ANNOTATION_FILE, tables.MEASURES) as writer:
            for batch in tables.batches(item, tables.DOCUMENTS, _BATCH, ["id", "text", "language"]):
                rows = batch.to_pylist()
                found = [measures_of(row["text"], row["language"], self.config) for row in rows]
                writer.write_rows({"id": row["id"], **measured} for row, measured in zip(rows, found, strict=True))
                for row, measured in zip(rows, found, strict=True):
                    for name, value in measured.items():
                        values[f"{name}.{row['language'] or 'unknown'}"].append(value)
                documents += len(rows)
        return {"documents": documents, "measured": {key: _sum(given) for key, given in values.items()}}


def _sum(values: list[float]) -> tuple[float, int, int]:
    """Return the sum of what is defined, how many that are, and how many are not."""
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined), len(defined), len(values) - len(defined)


def _means(done: Iterable[Done]) -> Metrics:
    """Return the mean of each measure by language, None where it is defined nowhere, and where it is not defined."""
    sums: defaultdict[str, list[tuple[float, int, int]]] = defaultdict(list)
    for piece in done:
        for key, given in piece.counts["measured"].items():
            sums[key].append(given)
    metrics: dict[str, float | None] = {}
    languages = sorted({key.partition(".")[2] for key in sums})
    for key in (f"{name}.{language}" for language in languages for name in MEASURES):
        totals, defined, undefined = zip(*sums[key], strict=True)
        metrics[key] = math.fsum(totals) / sum(defined) if any(defined) else None
        if any(undefined) and any(defined):
            metrics[f"undefined.{key}"] = sum(undefined)
    return metrics
