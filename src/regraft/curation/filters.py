"""Keep the documents that no filter drops. A filter is a frozen dataclass with its thresholds and one method."""

from dataclasses import dataclass
from typing import Protocol

from regraft.core import ConfigError, Context, Kind, Metrics, RegraftError, stage
from regraft.corpus.document import Document, Reject
from regraft.curation.language import LanguageFilter
from regraft.curation.quality import GopherQuality

__all__ = ["Filter", "FilterConfig", "GopherQuality", "LanguageFilter", "filter_documents"]


class Filter(Protocol):
    """Judges one document. Keeps no state and is sent to worker processes."""

    def check(self, document: Document) -> Document | Reject:
        """Return the document, its language corrected if need be, or why it is dropped."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterConfig:
    """Which filters, in the order in which a document meets them."""

    filters: tuple[Filter, ...]
    required_languages: tuple[str, ...] = ()
    """Languages of which at least one document must be kept."""

    def __post_init__(self) -> None:
        if not self.filters:
            raise ConfigError("filters is empty; leave the step out to keep everything.")


@stage(version=3, makes=Kind.CORPUS, docs=Kind.CORPUS)
def filter_documents(config: FilterConfig, ctx: Context) -> Metrics:
    """Write the documents that pass every filter, in their order; the first that drops one gives the reason.

    Raises:
        RegraftError: nothing was kept, or nothing in a required language.
    """
    from regraft.corpus.dataflow import transform

    metrics = transform(Chain(config.filters), ctx, "filter_documents")
    for language in config.required_languages:
        if not metrics.get(f"language.{language}"):
            raise RegraftError(f"No document in {language!r} was kept: {dict(metrics)}.")
    return metrics


@dataclass(frozen=True, slots=True)
class Chain:
    """The kernel of `filter_documents`."""

    filters: tuple[Filter, ...]

    def __call__(self, document: Document) -> Document | Reject:
        for filter_ in self.filters:
            outcome = filter_.check(document)
            if isinstance(outcome, Reject):
                return outcome
            document = outcome
        return document
