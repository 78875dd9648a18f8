"""The rules for source code of StarCoder and DeepSeek-Coder: files that no one wrote, or that hold data."""

import json
import re
from dataclasses import dataclass

from regraft.core import ConfigError
from regraft.corpus.document import Document, Reject
from regraft.curation.filters.bounds import too_high, too_low
from regraft.curation.filters.view import View

_UNSEEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)|<[a-z/!?][^>]*(?:>|\Z)", re.DOTALL | re.I)
"""What of a page is not seen: comments, scripts, styles and tags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeQuality:
    """Drops source files that were generated, minified or hold data; give it to corpora of code only.

    The programming language is looked up in the meta of the document; where it is not known, only the rules that hold
    for all languages apply.

    Source: arXiv:2401.14196 (DeepSeek-Coder), section 2.1 [R], which takes them from arXiv:2305.06161 (StarCoder).
    """

    language_key: str = "programming_language"
    """Key of the meta, case of its value aside. Source: not in the paper."""
    max_mean_line: float = 100.0
    """Characters."""
    max_line: int = 1000
    """Characters."""
    min_alphabetic_share: float = 0.25
    """Of characters that are letters."""
    xml_languages: tuple[str, ...] = ("xml", "xslt")
    """Allowed to begin with an XML declaration. The paper allows XSLT; XML that says so is no code in disguise."""
    xml_header: int = 100
    """Characters in which a declaration is looked for."""
    min_visible_share: float = 0.2
    """Of an HTML file, without tags, scripts and styles."""
    min_visible: int = 100
    """Characters of an HTML file that are seen."""
    data_languages: tuple[str, ...] = ("json", "yaml")
    min_data: int = 50
    """Characters of a file in a data language."""
    max_data: int = 5000

    def __post_init__(self) -> None:
        if not self.language_key or not 0 <= self.min_data <= self.max_data:
            raise ConfigError(f"CodeQuality needs a language_key and 0 <= min_data <= max_data: {self}.")

    def check(self, document: Document, view: View) -> Document | Reject:
        if not view.lines:
            return Reject("no_lines")
        language = str(json.loads(document.meta).get(self.language_key, "")).lower()
        return self._of_text(view.text) or self._of_language(view.text, language) or document

    def _of_text(self, text: str) -> Reject | None:
        lengths = [len(line) for line in text.splitlines()]
        if max(lengths) > self.max_line:
            return too_high("long_line", f"{max(lengths):,} characters in the longest line", self.max_line)
        mean = sum(lengths) / len(lengths)
        if mean > self.max_mean_line:
            return too_high("long_lines", f"{mean:.0f} characters a line in the mean", self.max_mean_line)
        share = sum(map(str.isalpha, text)) / len(text)
        if share < self.min_alphabetic_share:
            return too_low("few_letters", f"{share:.2f} of the characters are letters", self.min_alphabetic_share)
        return None

    def _of_language(self, text: str, language: str) -> Reject | None:
        if language not in self.xml_languages and "<?xml version=" in text[: self.xml_header]:
            return Reject("xml", f"in a file said to be {language or 'of unknown language'}")
        if language == "html":
            seen = len(" ".join(_UNSEEN.sub(" ", text).split()))
            least = max(self.min_visible, self.min_visible_share * len(text))
            if seen < least:
                return too_low("little_visible_text", f"{seen} of {len(text)} characters are seen", least)
        return self._of_data(len(text), language) if language in self.data_languages else None

    def _of_data(self, length: int, language: str) -> Reject | None:
        if length < self.min_data:
            return too_low("data", f"{language} of {length} characters", self.min_data)
        return too_high("data", f"{language} of {length} characters", self.max_data) if length > self.max_data else None
