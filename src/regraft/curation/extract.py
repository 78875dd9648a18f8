"""The text of web pages: main content out of HTML, and one form of whitespace and Unicode for everything."""

import json
import re
import unicodedata
from dataclasses import dataclass, replace

from regraft.core import ConfigError, Context, Kind, Metrics, stage
from regraft.corpus.document import Document, Reject
from regraft.curation.nesting import nested_deeper


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractConfig:
    """What of a page is its text."""

    main_content: bool = True
    """Leave out navigation, headers, footers and lists of links, as far as resiliparse finds them."""
    max_characters: int = 4_000_000
    """Of a page; a longer one is rejected unparsed."""
    max_depth: int = 1000
    """Of elements inside each other; a page of more is rejected unparsed, since extraction takes the time of its size
    times its depth. Browsers stop at 512. Source: not in the paper.
    """

    def __post_init__(self) -> None:
        if min(self.max_characters, self.max_depth) < 1:
            raise ConfigError(
                f"max_characters is {self.max_characters} and max_depth {self.max_depth}; both must be positive."
            )


@stage(version=3, makes=Kind.CORPUS, docs=Kind.CORPUS)
def extract_text(config: ExtractConfig, ctx: Context) -> Metrics:
    """Turn pages whose meta says `"format": "html"` into plain text; normalise all others. Ids stay.

    Code blocks keep their lines, table cells are set apart by tabs. A page without text is rejected.
    """
    from regraft.corpus.dataflow import transform

    return transform(Extract(config), ctx, "extract_text")


@dataclass(frozen=True, slots=True)
class Extract:
    """The kernel of `extract_text`."""

    config: ExtractConfig

    def __call__(self, document: Document) -> Document | Reject:
        if len(document.text) > self.config.max_characters:
            return Reject("too_large", f"{len(document.text):,} characters")
        html = json.loads(document.meta).get("format") == "html"
        if html and nested_deeper(document.text, self.config.max_depth):
            return Reject("too_deep", f"more than {self.config.max_depth:,} elements inside each other")
        text = normalise(self._content(document.text) if html else document.text)
        return replace(document, text=text) if text else Reject("no_text")

    def _content(self, page: str) -> str:
        from resiliparse.extract.html2text import extract_plain_text  # pyright: ignore[reportMissingModuleSource]

        return extract_plain_text(page, main_content=self.config.main_content, alt_texts=False)


def normalise(text: str) -> str:
    """Return the text in NFC, without control characters, line ends stripped, at most one empty line in a row."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = re.sub(r"[^\S\n\t]", " ", _CONTROL.sub("", text))
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n").rstrip()


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2060\ufeff\ufffe\uffff]")
"""Invisible characters that carry no text; no-break spaces become spaces before."""
