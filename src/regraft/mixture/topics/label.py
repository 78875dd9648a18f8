"""Label every document with its topic."""

from dataclasses import dataclass, field

from regraft.core import Context, Kind, Metrics, stage
from regraft.mixture.topics.classifier import Classifier
from regraft.mixture.topics.ngrams import NgramLinear


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelConfig:
    """Which documents are labelled, and by what."""

    classifier: Classifier = field(default_factory=NgramLinear)
    """That of the step which is wired as `classifier`."""
    sources: tuple[str, ...] = ()
    """Only documents of these are labelled; empty for all. The others get the topic `-`.

    Source: arXiv:2407.18743, Figure 1: the topics are those of web pages; code, maths and books bypass them [F].
    """
    keep_probabilities: bool = False
    """Also writes the probability of every topic, which `choose_pages` compares."""


@stage(version=2, makes=Kind.ANNOTATION, docs=Kind.CORPUS, classifier=Kind.FILES)
def label_topics(config: LabelConfig, ctx: Context) -> Metrics:
    """Annotate each document with its most probable topic, rows as in the corpus; continues at the shard it was at.

    A document whose topic is less probable than the threshold of the classifier is `Others`, with the probability of
    the topic that it was not given. One in a language without taxonomy has no topic (`-`), nor has one of another
    source; all are counted.

    Raises:
        ConfigError: `classifier` was trained with other settings.
    """
    from regraft.mixture.topics.label_shard import label

    return label(config, ctx)
