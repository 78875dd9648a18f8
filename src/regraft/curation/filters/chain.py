"""Keep the documents that no filter drops. A filter is a frozen dataclass with its thresholds and one method.

A filter of your own needs no more, and may stand in the file of your recipe:

    @dataclass(frozen=True, slots=True, kw_only=True)
    class FewLinks:
        max_share: float = 0.1

        def check(self, document: Document, view: View) -> Document | Reject:
            share = sum("://" in word for word in view.words) / max(len(view.words), 1)
            return Reject("links", f"{share:.2f} of the words") if share > self.max_share else document
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from regraft.core import ConfigError, Context, Kind, Metrics, RegraftError, SourceFile, stage
from regraft.corpus.document import Changed, Document, Outcome, Reject
from regraft.curation.filters.c4 import C4
from regraft.curation.filters.classifier import ClassifierScore
from regraft.curation.filters.code import CodeQuality
from regraft.curation.filters.fineweb import FineWeb
from regraft.curation.filters.length import MinTokens
from regraft.curation.filters.quality import GopherQuality
from regraft.curation.filters.repetition import GopherRepetition
from regraft.curation.filters.view import View
from regraft.curation.language.identify import LanguageFilter

__all__ = [
    "C4",
    "ClassifierScore",
    "CodeQuality",
    "Filter",
    "FilterConfig",
    "FineWeb",
    "GopherQuality",
    "GopherRepetition",
    "LanguageFilter",
    "MinTokens",
    "NeedsFiles",
    "filter_documents",
]


class Filter(Protocol):
    """Judges one document. Keeps no state and is sent to worker processes."""

    def check(self, document: Document, view: View) -> Outcome:
        """Return the document, or it changed, or why it is dropped; `view` is its text, split."""
        ...


@runtime_checkable
class NeedsFiles(Protocol):
    """A filter whose config names pinned files, a model for instance."""

    def opened(self, located: Mapping[SourceFile, Path]) -> Filter:
        """Return the filter that does the work, and knows where the files lie."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterConfig:
    """Which filters, in the order in which a document meets them."""

    filters: tuple[Filter | NeedsFiles, ...]
    required_languages: tuple[str, ...] = ()
    """Languages of which at least one document must be kept."""

    def __post_init__(self) -> None:
        if not self.filters:
            raise ConfigError("filters is empty; leave the step out to keep everything.")


@stage(version=7, makes=Kind.CORPUS, docs=Kind.CORPUS)
def filter_documents(config: FilterConfig, ctx: Context) -> Metrics:
    """Write the documents that pass every filter, in their order; the first that drops one gives the reason.

    Files that a filter needs are read by each worker where they lie: on a Ray cluster, that must be a place which all
    machines share.

    Raises:
        RegraftError: nothing was kept, or nothing in a required language.
    """
    from regraft.corpus.dataflow import transform

    filters = [given.opened(ctx.located) if isinstance(given, NeedsFiles) else given for given in config.filters]
    names = tuple(type(given).__name__ for given in config.filters)
    metrics = transform(Chain(tuple(filters), names), ctx, "filter_documents")
    for language in config.required_languages:
        if not metrics.get(f"language.{language}"):
            raise RegraftError(f"No document in {language!r} was kept: {dict(metrics)}.")
    return metrics


@dataclass(frozen=True, slots=True)
class Chain:
    """The kernel of `filter_documents`."""

    filters: tuple[Filter, ...]
    names: tuple[str, ...]
    """Of the filters, for rejects: two filters may have a rule of one name."""

    def __call__(self, document: Document) -> Outcome:
        counts: Counter[str] = Counter()
        view = View(document.text)
        for filter_, name in zip(self.filters, self.names, strict=True):
            outcome = filter_.check(document, view)
            if isinstance(outcome, Reject):
                return Reject(outcome.reason, f"{name}: {outcome.detail}" if outcome.detail else name)
            if isinstance(outcome, Changed):
                counts.update(outcome.counts)
                outcome = outcome.document
            if outcome.text is not view.text:
                view = View(outcome.text)
            document = outcome
        return Changed(document, counts) if counts else document
