"""The text of web pages: the main content of HTML, with code, tables and formulas, in one form of Unicode."""

import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from regraft.core import ConfigError, Context, Kind, Metrics, stage
from regraft.corpus.document import Changed, Document, Reject
from regraft.curation.extraction.boilerplate import without_boilerplate
from regraft.curation.extraction.formulas import RENDERED
from regraft.curation.extraction.layout import layout
from regraft.curation.extraction.nesting import nesting
from regraft.curation.extraction.normalize import broken_share, normalise, repaired


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractConfig:
    """What of a page is its text."""

    extractor: Literal["resiliparse", "trafilatura"] = "resiliparse"
    """The second takes ten times as long and is to be installed by the user, together with lxml_html_clean."""
    main_content: bool = True
    """Leave out navigation, headers, footers and lists of links, as far as the extractor finds them."""
    drop_boilerplate: bool = True
    """Drop lines of copyright, cookies and navigation at the ends of pages: `boilerplate.py` has the rule."""
    repair_encoding: bool = True
    """Read UTF-8 that was read as a code page rightly (cafÃ©)."""
    max_broken_share: float = 0.01
    """Of characters that could not be decoded; beyond, the document is rejected. Source: not in the paper."""
    max_characters: int = 4_000_000
    """Of a page; a longer one is rejected unparsed."""
    max_depth: int = 512
    """Of elements inside each other; a page of more is rejected unparsed. Source: where browsers stop."""
    max_work: int = 100_000_000
    """Sum over the characters of a page of the elements around each; a page of more is rejected unparsed.

    Extractors take time in proportion: resiliparse half a second at the bound. Source: not in the paper; among 300
    pages of documentation the largest sum is 2 million.
    """
    max_seconds: float = 60
    """Of processor time for a page, as the last resort; beyond, it is rejected as `worker_died`. 0 for no bound."""

    def __post_init__(self) -> None:
        for name in ("max_characters", "max_depth", "max_work"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be positive.")
        if self.extractor not in ("resiliparse", "trafilatura"):
            raise ConfigError(f"extractor is {self.extractor!r}; it is 'resiliparse' or 'trafilatura'.")
        if self.max_seconds < 0 or not 0 <= self.max_broken_share <= 1:
            raise ConfigError(
                f"max_seconds is {self.max_seconds} and max_broken_share {self.max_broken_share}; "
                "the first must not be negative, the second between 0 and 1."
            )


@stage(version=5, makes=Kind.CORPUS, docs=Kind.CORPUS)
def extract_text(config: ExtractConfig, ctx: Context) -> Metrics:
    """Turn pages whose meta says `"format": "html"` into plain text; normalise all others. Ids stay.

    Code blocks keep their lines, cells of a table row are set apart by tabs, formulas stand as TeX between dollar
    signs. A page without text is rejected.
    """
    from regraft.corpus.dataflow import transform

    if config.extractor == "trafilatura":
        _import_trafilatura()
    return transform(Extract(config), ctx, "extract_text", max_seconds=config.max_seconds)


@dataclass(frozen=True, slots=True)
class Extract:
    """The kernel of `extract_text`."""

    config: ExtractConfig

    def __call__(self, document: Document) -> Document | Changed | Reject:
        if len(document.text) > self.config.max_characters:
            return Reject("too_large", f"{len(document.text):,} characters")
        if (share := broken_share(document.text)) > self.config.max_broken_share:
            return Reject("broken_encoding", f"{share:.3f} of the characters could not be decoded")
        html = json.loads(document.meta).get("format") == "html"
        if html and (reject := self._too_deep(document.text)):
            return reject
        return self._cleaned(document, self._content(document.text) if html else document.text, html)

    def _cleaned(self, document: Document, text: str, html: bool) -> Document | Changed | Reject:
        whole = repaired(text) if self.config.repair_encoding else text
        kept, lines = without_boilerplate(whole) if html and self.config.drop_boilerplate else (whole, 0)
        if not (clean := normalise(kept)):
            return Reject("no_text")
        made = replace(document, text=clean)
        counts = {"repaired_encoding": int(whole != text), "boilerplate_lines": lines}
        return Changed(made, {name: n for name, n in counts.items() if n}) if any(counts.values()) else made

    def _too_deep(self, page: str) -> Reject | None:
        found = nesting(page, self.config.max_depth, self.config.max_work)
        if found.depth > self.config.max_depth:
            return Reject("too_deep", f"more than {self.config.max_depth:,} elements inside each other")
        if found.work > self.config.max_work:
            return Reject("too_deep", f"more than {self.config.max_work:,} characters, times the elements around each")
        return None

    def _content(self, page: str) -> str:
        extract = _trafilatura if self.config.extractor == "trafilatura" else _resiliparse
        return extract(layout(page), self.config.main_content)


_SKIPPED = (
    *("svg", "object", "video", "audio", "embed", "area"),
    *("td.linenos", ".linenodiv", ".lineno", "td.gutter", "td.rouge-gutter", ".hljs-ln-numbers", ".line-numbers-rows"),
    *RENDERED,
)
"""Selectors of what is not text: media, the numbers of lines of code, and formulas as they are drawn."""


def _resiliparse(page: str, main_content: bool) -> str:
    from resiliparse.extract.html2text import extract_plain_text  # pyright: ignore[reportMissingModuleSource]

    # Without `alt_texts` captions would go too; the alternative texts are gone already.
    return extract_plain_text(page, main_content=main_content, alt_texts=True, skip_elements=_SKIPPED)


def _trafilatura(page: str, main_content: bool) -> str:
    library = _import_trafilatura()
    if not main_content:
        return library.html2txt(page)
    return library.extract(page, fast=True, include_comments=False) or ""


def _import_trafilatura() -> Any:
    try:
        import trafilatura
    except ImportError as error:
        raise ConfigError(f"extractor is 'trafilatura', which cannot be imported: {error}. Install it.") from error
    return trafilatura
