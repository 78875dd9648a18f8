"""The pages to label next: those on which a cheap and a stronger classifier differ most.

By analogy with active learning that combines a cheap and an expensive model (arXiv:2407.19073); not in the paper.
"""

from dataclasses import dataclass
from typing import Literal

from regraft.core import ConfigError, Context, Kind, Metrics, RawFiles, stage
from regraft.core.stage import Role

TO_LABEL_FILE = "to_label.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageConfig:
    """How many pages, and what counts as disagreement."""

    num_pages: int
    measure: Literal["total_variation", "kl"] = "total_variation"
    """`kl` is the divergence of the cheap classifier from the stronger one, in nats: it punishes being sure."""
    labelled: tuple[RawFiles, ...] = ()
    """JSON lines whose `id` is labelled already, beside what the input `labelled` gives."""
    max_characters: int = 2000
    """Of a page that are written out, from its start."""

    def __post_init__(self) -> None:
        if min(self.num_pages, self.max_characters) < 1:
            raise ConfigError(f"num_pages and max_characters must be at least 1: {self}.")


@stage(
    version=1,
    makes=Kind.FILES,
    docs=Kind.CORPUS,
    cheap=Kind.ANNOTATION,
    strong=Kind.ANNOTATION,
    labelled=Role(Kind.FILES, many=True, required=False),
)
def choose_pages(config: PageConfig, ctx: Context) -> Metrics:
    """Write `to_label.jsonl`, the pages to label, most disagreement first in each topic, and `pages` with the reason.

    Topics, as the stronger classifier sees them, take turns, so that none can take all; ties go by id. Fill in the
    empty `topic` of a copy and give it to `merge_labels`. What the classifiers think stands in `pages.parquet` only,
    so that it does not lead the hand.

    Raises:
        ConfigError: an annotation was made without `keep_probabilities`, or no page is left to label.
        SchemaError: an annotation is of other documents, or only one of the two labels a document.
    """
    from regraft.mixture.topics.disagreement import write_pages

    return write_pages(config, ctx)
