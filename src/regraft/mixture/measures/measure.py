"""Measure how hard each text is without a model."""

from dataclasses import dataclass

from regraft.core import ConfigError, Context, Kind, Metrics, stage


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMeasuresConfig:
    """How texts are measured. Which measures: arXiv:2506.11300 found compression ratio, MTLD and Flesch reading ease
    the best signals for a curriculum; density of numbers and formulas is from arXiv:2203.02753. Not in the SynE paper.
    """

    compression_level: int = 6
    """Of zlib, 1 to 9. Source: not in the paper."""
    diversity_threshold: float = 0.72
    """Type-token ratio below which MTLD counts a factor as full. Source: McCarthy and Jarvis 2010."""

    def __post_init__(self) -> None:
        if not 1 <= self.compression_level <= 9:
            raise ConfigError(f"compression_level is {self.compression_level}; zlib has the levels 1 to 9.")
        if not 0 < self.diversity_threshold < 1:
            raise ConfigError(f"diversity_threshold is {self.diversity_threshold}; it must lie between 0 and 1.")


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def measure_texts(config: TextMeasuresConfig, ctx: Context) -> Metrics:
    """Annotate each document with `tables.MEASURES`, rows as in the corpus; continues at the shard it was at.

    The metrics are the mean of each measure in each language, over the documents in which it is defined, and their
    number where it is not defined in all.
    """
    from regraft.mixture.measures.shard import measure

    return measure(config, ctx)
