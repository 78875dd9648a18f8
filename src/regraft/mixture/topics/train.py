"""Train a topic classifier on labelled examples and measure it on others."""

from dataclasses import dataclass, field

from regraft.core import ConfigError, Context, Kind, Metrics, RawFiles, optional, stage
from regraft.core.stage import Role
from regraft.mixture.topics.classifier import Classifier
from regraft.mixture.topics.ngrams import NgramLinear
from regraft.mixture.topics.taxonomy import Taxonomy, by_language


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicClassifierConfig:
    """Taxonomies, labelled examples of them, and what is to learn from these."""

    taxonomies: tuple[Taxonomy, ...]
    """One for each language; each gets a classifier of its own."""
    classifier: Classifier = field(default_factory=NgramLinear)
    seeds: tuple[RawFiles, ...] = ()
    """JSON lines with `text`, `topic` and `language`, beside what the input `seeds` gives."""
    test: RawFiles | None = None
    """Examples of the same form on which the classifier is only measured."""
    threshold: float = 0.0
    """A document whose best topic is less probable than this is `Others`. Not in the paper."""
    folds: int = 0
    """Of a cross-validation of the seeds; 0 leaves it out. Each fold trains once more."""
    seed: int = 0
    """Decides the folds."""

    def __post_init__(self) -> None:
        by_language(self.taxonomies)
        if not 0 <= self.threshold <= 1 or self.folds < 0 or self.folds == 1:
            raise ConfigError(f"threshold {self.threshold} must lie in [0, 1], folds {self.folds} be at least 2, or 0.")


@stage(
    version=2,
    makes=Kind.FILES,
    seeds=Role(Kind.FILES, many=True, required=False),
    encoder=optional(Kind.CHECKPOINT),
)
def train_topic_classifier(config: TopicClassifierConfig, ctx: Context) -> Metrics:
    """Write a classifier for each language, trained on all seeds, and how good it is on documents it did not see.

    `topic_measures.parquet` has accuracy, precision and recall with intervals, `confusion.parquet` and
    `reliability.parquet` what lies behind them: on `test`, and by cross-validation on the seeds. A topic without seeds
    is never found.

    Raises:
        ConfigError: no seeds at all, or those of a language are of one topic only or too few for the folds, or a test
            example is a seed too.
    """
    from regraft.mixture.topics.learning import learn

    return learn(config, ctx)
