"""Label the topic of each document with a classifier trained on a small hand-labelled seed file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regraft.core import ConfigError, Context, Kind, Metrics, RawFiles, stage
from regraft.corpus.tokens import NO_TOPIC

if TYPE_CHECKING:
    from regraft.mixture.topic_classifier import TopicClassifier

UNLABELLED = (NO_TOPIC, 1.0)
"""Topic and probability of a document whose source has no topics."""
OTHERS = "Others"
"""The topic of a document that resembles none of the taxonomy enough. Source: arXiv:2407.18743, topic lists [R]."""
BATCH_DOCUMENTS = 512
"""Documents labelled at once; no setting, since it changes nothing but memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicConfig:
    """A taxonomy, examples of it, and the settings of the classifier: character n-grams and a linear model.

    The paper fine-tunes TinyBERT on labels by a strong model [N]; n-grams need no weights and know every script.
    """

    taxonomy: tuple[str, ...]
    seeds: RawFiles
    """JSON lines with `text`, `topic` and `language`; the topics of the taxonomy, and `Others` if it has examples."""
    sources: tuple[str, ...] = ()
    """Only documents of these are classified; empty for all. The others get the topic `-`.

    Source: arXiv:2407.18743, Figure 1: the topics are those of web pages; code, maths and books bypass them [F].
    """
    test: RawFiles | None = None
    """Examples of the same form on which the classifier is only measured."""
    threshold: float = 0.0
    """A document whose best topic is less probable than this is `Others`. Not in the paper."""
    max_characters: int = 4000
    """Read from the start of each document."""
    ngram_length: int = 3
    """n-grams of 1 to this many characters."""
    strength: float = 10.0
    """Inverse of the regularisation (C of scikit-learn); by cross-validation of the seeds that ship with regraft."""
    folds: int = 5
    """Of the cross-validation of the seeds; 0 leaves it out."""
    seed: int = 0
    """Decides the folds."""

    def __post_init__(self) -> None:
        if len(set(self.taxonomy)) < 2 or len(set(self.taxonomy)) < len(self.taxonomy):
            raise ConfigError(f"The taxonomy {self.taxonomy} must name at least two topics, each once.")
        if (
            not 0 <= self.threshold <= 1
            or min(self.max_characters, self.ngram_length) < 1
            or self.folds < 0
            or self.folds == 1
        ):
            raise ConfigError(
                f"threshold {self.threshold} must lie in [0, 1], max_characters {self.max_characters} and ngram_length "
                f"{self.ngram_length} must be positive, folds {self.folds} at least 2, or 0."
            )

    @property
    def topics(self) -> tuple[str, ...]:
        """Return the taxonomy with `Others`."""
        return (*(t for t in self.taxonomy if t != OTHERS), OTHERS)


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def label_topics(config: TopicConfig, ctx: Context) -> Metrics:
    """Annotate each document with its most probable topic, rows as in the corpus.

    Measures the classifier by cross-validation of the seeds; the labels come from one trained on all of them.
    """
    from regraft.corpus import tables
    from regraft.mixture.topic_classifier import Examples, TopicClassifier, cross_validated_accuracy

    seeds = Examples.read(ctx.located, config.seeds.files, config.topics)
    classifier = TopicClassifier(config).fit(seeds)
    metrics: dict[str, int | float | str | bool | None] = {
        "seeds": len(seeds.texts),
    }
    if config.folds:
        metrics["cross_validated_accuracy"] = cross_validated_accuracy(config, seeds)
    if config.test is not None:
        test = Examples.read(ctx.located, config.test.files, config.topics)
        metrics |= {"test_examples": len(test.texts), "test_accuracy": classifier.accuracy(test)}
    docs = tables.read_shards(
        ctx.input("docs").path, tables.DOCUMENTS_FOLDER, tables.DOCUMENTS, ["id", "text", "source"]
    )
    counts = dict.fromkeys(config.topics, 0)
    with (
        tables.Writer(ctx.out / tables.ANNOTATION_FILE, tables.TOPICS) as writer,
        ctx.track("label topics", docs.num_rows, "documents") as ticker,
    ):
        for batch in docs.to_batches(max_chunksize=BATCH_DOCUMENTS):
            labels = _labels(config, classifier, batch.to_pylist())
            rows = zip(batch.column("id").to_pylist(), labels, strict=True)
            writer.write_rows({"id": i, "topic": topic, "probability": p} for i, (topic, p) in rows)
            for topic, _ in labels:
                counts[topic] = counts.get(topic, 0) + 1
            ticker.advance(batch.num_rows)
    return {**metrics, "documents": docs.num_rows, **{f"documents: {topic}": n for topic, n in counts.items()}}


def _labels(
    config: TopicConfig, classifier: "TopicClassifier", rows: Sequence[Mapping[str, str]]
) -> list[tuple[str, float]]:
    """Return topic and probability of each row; a row of another source has no topic, with certainty."""
    asked = [row["text"] for row in rows if not config.sources or row["source"] in config.sources]
    found = iter(classifier.label(asked) if asked else ())
    return [next(found) if not config.sources or row["source"] in config.sources else UNLABELLED for row in rows]
