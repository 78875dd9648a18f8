"""The whole way of a page: read, extract, filter, deduplicate, decontaminate, tokenize, write."""

from pathlib import Path
from typing import Any

from bench.ours import SEPARATOR, SIMILARITY, tokenizer_of
from regraft.core import RawFiles, Step
from regraft.corpus.ingest import IngestConfig, ingest
from regraft.corpus.jsonlines import JsonLines
from regraft.corpus.tokens import TokenizeConfig, tokenize
from regraft.corpus.warc import WarcPages
from regraft.curation.contamination.decontaminate import DecontaminateConfig, decontaminate
from regraft.curation.duplicates.dedup import DedupConfig, deduplicate
from regraft.curation.extraction.extract import ExtractConfig, extract_text
from regraft.curation.filters.chain import FilterConfig, filter_documents
from regraft.curation.filters.quality import GopherQuality
from regraft.curation.language.identify import LanguageFilter

LANGUAGES = ("en", "de", "fr", "zh")


def pages_to_tokens(corpus: Path, tokenizer: Path) -> list[Step[Any]]:
    """Return the steps over the archives of a corpus; the name of each is that of the stage in the results."""
    archives = RawFiles(root=str(corpus / "pages"), pattern="*.warc.gz")
    items = RawFiles(root=str(corpus), pattern="items.jsonl")
    pages = ingest.step("read", IngestConfig(source="bench", reader=WarcPages(), files=archives))
    text = extract_text.step("extract", ExtractConfig(), docs=pages)
    filters = (LanguageFilter(languages=LANGUAGES), GopherQuality())
    good = filter_documents.step("filter", FilterConfig(filters=filters), docs=text)
    distinct = deduplicate.step("deduplicate", DedupConfig(min_similarity=SIMILARITY), docs=good)
    questions = ingest.step("items", IngestConfig(source="items", reader=JsonLines(id="id"), files=items))
    clean = decontaminate.step("decontaminate", DecontaminateConfig(), docs=distinct, benchmarks=questions)
    config = TokenizeConfig(begin_token="", end_token=SEPARATOR)
    return [tokenize.step("tokenize", config, docs=clean, model=tokenizer_of(tokenizer))]
