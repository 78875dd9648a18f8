"""Raw text to a clean corpus, and to tokens: all of curation in one recipe, to be run on a sample first."""

from typing import Any, Literal

from regraft.core import ConfigError, RawFiles, Step
from regraft.corpus.ingest import (
    ArrowTable,
    HtmlPages,
    IngestConfig,
    JsonLines,
    ParquetTable,
    PlainText,
    Reader,
    WarcPages,
    ingest,
)
from regraft.corpus.tokens import TokenizeConfig, tokenize
from regraft.curation.band import BandConfig, select_band
from regraft.curation.contamination.decontaminate import DecontaminateConfig, decontaminate
from regraft.curation.duplicates.dedup import DedupConfig, deduplicate
from regraft.curation.extraction.extract import ExtractConfig, extract_text
from regraft.curation.filters.chain import (
    C4,
    Filter,
    FilterConfig,
    FineWeb,
    GopherQuality,
    GopherRepetition,
    filter_documents,
)
from regraft.curation.language.identify import LanguageFilter
from regraft.curation.lines.deduplicate import LineConfig, deduplicate_lines
from regraft.curation.privacy.redact import PrivacyConfig, redact_personal
from regraft.curation.statistics import MeasureConfig, measure_documents
from regraft.lm.backbone import BackboneConfig, import_backbone
from regraft.mixture.difficulty import DifficultyConfig, score_difficulty
from regraft.mixture.measures.measure import TextMeasuresConfig, measure_texts
from regraft.recipes import SAMPLES

Format = Literal["html", "warc", "jsonl", "parquet", "arrow", "text"]
PATTERNS: dict[Format, str] = {
    "html": "**/*.htm*",
    "warc": "**/*.warc*",
    "jsonl": "**/*.json*",
    "parquet": "**/*.parquet",
    "arrow": "**/*.arrow",
    "text": "**/*.txt*",
}
"""Which files of a folder are read, where no pattern is given."""


def curate(
    *,
    input: str = "",
    format: Format = "html",
    pattern: str = "",
    text: str = "text",
    id: str = "",
    source: str = "web",
    language: str = "",
    languages: tuple[str, ...] = ("en", "zh"),
    fineweb: bool = False,
    c4: bool = False,
    lines: bool = True,
    similarity: float = 0.75,
    benchmarks: str = "",
    benchmark_text: tuple[str, ...] = ("text",),
    redact: bool = True,
    band: tuple[float, float] = (0.0, 100.0),
    band_measure: str = "loss_per_byte",
    tokenizer: str = "",
    separator: str = "<|endoftext|>",
    sample: int = 0,
) -> list[Step[Any]]:
    """Clean raw text: extract, filter, deduplicate, decontaminate, redact, count; `--sample 1000` to look first.

    Parameters
    ----------
    input
        File or folder of raw text; by default the sample pages that come with regraft.
    format
        html and text: a document a file; warc: archives of a crawl; jsonl, parquet, arrow (a saved dataset): a
        document a row. Files may be compressed (.gz, .zst, .bz2, .xz).
    pattern
        Which files of the folder, such as "en/**/*.jsonl.zst".
    text
        Field of the text in a row.
    id
        Field of the id in a row; by default ids are made from the text.
    source
        Name of the source in corpora and figures.
    language
        Language of the documents, if it is known; then those that look otherwise are dropped.
    languages
        Languages to keep.
    fineweb
        Apply the rules of FineWeb as well. They drop pages of short lines and pages that repeat a heading.
    c4
        Apply the rules of C4 as well. They drop every line that does not end with a mark, so lists and code.
    lines
        Cut lines that many documents repeat.
    similarity
        True Jaccard similarity from which one of two documents is dropped.
    benchmarks
        File or folder of JSON lines with the items of benchmarks, whose text is to be taken out.
    benchmark_text
        Fields of an item that are looked for, such as question, choices, answer.
    redact
        Replace e-mail addresses, phone numbers, ID numbers, IP addresses and keys by what they are.
    band
        Percentiles of difficulty, such as 0 20 for the easiest fifth, between which documents of each language and
        source are kept; by default all are.
    band_measure
        loss_per_byte or loss_per_token, by the model that `tokenizer` names; or a measure without a model, such as
        compression_ratio, lexical_diversity or reading_ease (English).
    tokenizer
        Transformers folder of the model to tokenize for; without it tokens are estimated, and none are written.
    separator
        Token that stands after each document.
    sample
        Dry run: look at about so many documents of files spread evenly over the input, 0 for all. What each rule drops
        is printed with examples.
    """
    raw = ingest.step("corpus/raw", _ingest(input, format, pattern, text, id, source, language, sample))
    clean = extract_text.step("corpus/text", ExtractConfig(), docs=raw)
    if lines:
        clean = deduplicate_lines.step("corpus/lines", LineConfig(), docs=clean)
    clean = filter_documents.step("corpus/filtered", FilterConfig(filters=_filters(languages, fineweb, c4)), docs=clean)
    clean = deduplicate.step("corpus/distinct", DedupConfig(min_similarity=similarity), docs=clean)
    if benchmarks:
        items = ingest.step("benchmarks", _items(benchmarks, benchmark_text))
        clean = decontaminate.step("corpus/decontaminated", DecontaminateConfig(), docs=clean, benchmarks=items)
    if redact:
        clean = redact_personal.step("corpus/clean", PrivacyConfig(), docs=clean)
    folder = RawFiles(root=tokenizer, pattern="*")
    model = import_backbone.step("tokenizer", BackboneConfig(folder=folder)) if tokenizer else None
    if band != (0.0, 100.0):
        low, high = band
        difficulty = _difficulty(band_measure, languages, separator, clean, model)
        chosen = BandConfig(measure=band_measure, low=low, high=high)
        clean = select_band.step("corpus/band", chosen, docs=clean, difficulty=difficulty)
    if model is None:
        return [measure_documents.step("statistics", MeasureConfig(), docs=clean)]
    ends = TokenizeConfig(begin_token="", end_token=separator)
    return [
        measure_documents.step("statistics", MeasureConfig(), docs=clean, model=model),
        tokenize.step("tokens", ends, docs=clean, model=model),
    ]


def _ingest(
    input: str, format: Format, pattern: str, text: str, id: str, source: str, language: str, sample: int
) -> IngestConfig:
    readers: dict[Format, Reader] = {
        "html": HtmlPages(),
        "warc": WarcPages(),
        "jsonl": JsonLines(text=text, id=id),
        "parquet": ParquetTable(text=text, id=id),
        "arrow": ArrowTable(text=text, id=id),
        "text": PlainText(),
    }
    documents_a_file = 1 if format in ("html", "text") else 50  # few files are even hashed for a dry run
    files = RawFiles(
        root=input or str(SAMPLES / "debian"),
        pattern=pattern or PATTERNS[format],
        max_files=-(-sample // documents_a_file),
    )
    return IngestConfig(source=source, language=language, reader=readers[format], files=files, sample=sample)


def _items(benchmarks: str, fields: tuple[str, ...]) -> IngestConfig:
    files = RawFiles(root=benchmarks, pattern=PATTERNS["jsonl"])
    return IngestConfig(source="benchmarks", reader=JsonLines(text=fields), files=files)


def _difficulty(
    measure: str, languages: tuple[str, ...], separator: str, docs: Step[Any], model: Step[Any] | None
) -> Step[Any]:
    """Return the step that measures how hard each document is.

    Raises:
        ConfigError: the measure is a loss, and there is no model.
    """
    if measure not in ("loss_per_byte", "loss_per_token"):
        return measure_texts.step("difficulty", TextMeasuresConfig(), docs=docs)
    if model is None:
        raise ConfigError(f"band_measure {measure!r} needs a model: name its folder as tokenizer, or take another.")
    scored = DifficultyConfig(languages=languages, begin_token=separator)
    return score_difficulty.step("difficulty", scored, docs=docs, model=model)


def _filters(languages: tuple[str, ...], fineweb: bool, c4: bool) -> tuple[Filter, ...]:
    filters: list[Filter] = [LanguageFilter(languages=languages), GopherRepetition(), GopherQuality()]
    if c4:
        filters.append(C4())
    if fineweb:
        filters.append(FineWeb())
    return tuple(filters)
