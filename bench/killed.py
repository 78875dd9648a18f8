"""The training that `bench.training_kill` kills: a small model on the sample pages, steered while it trains.

    regraft run bench/killed.py:training --store STORE

Topics are given in turn, so that no classifier has to be learned first.
"""

from dataclasses import dataclass
from typing import Any

from regraft.core import Context, Kind, Metrics, RawFiles, Step, stage
from regraft.corpus import tables
from regraft.corpus.ingest import HtmlPages, IngestConfig, ingest
from regraft.corpus.rows import documents
from regraft.corpus.tokens import TokenizeConfig, tokenize
from regraft.curation.duplicates.dedup import DedupConfig, deduplicate
from regraft.curation.extraction.extract import ExtractConfig, extract_text
from regraft.curation.split import SplitConfig, split_documents
from regraft.lm.tiny import TinyConfig, make_tiny
from regraft.mixture.controllers import Bounds, TopicPerplexity
from regraft.mixture.shares import Group, Mixture, Source
from regraft.recipes import SAMPLES
from regraft.training.schedules import WarmupStable
from regraft.training.train import TrainConfig, ValidationConfig, train

TOPICS = ("one", "two", "three")
LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnsConfig:
    topics: tuple[str, ...] = TOPICS


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def topics_in_turn(config: TurnsConfig, ctx: Context) -> Metrics:
    """Label the documents with the topics in turn."""
    ids = [document.id for document in documents(ctx.input("docs"))]
    rows = [
        {"id": id_, "topic": config.topics[i % len(config.topics)], "probability": 1.0} for i, id_ in enumerate(ids)
    ]
    tables.write(ctx.out / tables.ANNOTATION_FILE, tables.table_of(rows, tables.TOPICS), tables.TOPICS)
    return {"documents": len(rows)}


def training(*, steps: int = 40) -> list[Step[Any]]:
    """Train 0.4 M parameters on Debian's pages, in two languages and three topics, with eight decisions.

    Parameters
    ----------
    steps
        Of 1,024 tokens.
    """
    model = make_tiny.step("backbone", TinyConfig(vocab_size=1_024))
    pages = [extract_text.step(f"text/{name}", ExtractConfig(), docs=_pages(name)) for name in LANGUAGES]
    clean = deduplicate.step("corpus/clean", DedupConfig(), docs=pages)
    tokens = {part: _tokens(part, clean, model) for part in ("train", "held_out")}
    groups = tuple(Group(name=name, share=0.5, sources=(Source(name=f"web-{name}", share=1.0),)) for name in LANGUAGES)
    config = TrainConfig(
        tokens=steps * 1_024,
        mixture=Mixture(groups=groups),
        schedule=WarmupStable(peak=3e-3, warmup_tokens=4_096),
        controller=TopicPerplexity(step_size=0.5, noise_gate=0.0, bounds=Bounds(floor=0.05)),
        controlled_sources=("web-zh", "web-en"),
        num_decisions=8,
        validation=ValidationConfig(tokens_per_stream=600, tokens_per_document=120),
        sequence_length=256,
        sequences_per_step=4,
        precision="float32",
    )
    return [train.step("train", config, model=model, tokens=tokens["train"], held_out=tokens["held_out"])]


def _pages(language: str) -> Step[Any]:
    files = RawFiles(root=str(SAMPLES / "debian" / language), pattern="**/*.htm*")
    config = IngestConfig(source=f"web-{language}", language=language, reader=HtmlPages(), files=files)
    return ingest.step(f"pages/{language}", config)


def _tokens(part: Any, clean: Step[Any], model: Step[Any]) -> Step[Any]:
    docs = split_documents.step(f"corpus/{part}", SplitConfig(part=part), docs=clean)
    topics = topics_in_turn.step(f"topics/{part}", TurnsConfig(), docs=docs)
    return tokenize.step(f"tokens/{part}", TokenizeConfig(), docs=docs, model=model, topics=topics)
