"""Does steering help? One training of the experiment in `steering.md`, as a recipe.

    regraft run docs/experiments/steering.py:steering --corpus ./manuals --backbone ./SmolLM2-135M --arm fixed

The corpus comes from `steering_corpus.py`. A topic is the manual that a page belongs to, so that no mistake of a
classifier is in the way. Arms of shares differ in the controller, arms of order in the order of the Chinese pages, of
which they serve all, once.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from regraft.core import ConfigError, Context, Kind, Metrics, RawFiles, Step, stage
from regraft.corpus import tables
from regraft.corpus.ingest import IngestConfig, JsonLines, ingest
from regraft.corpus.tokens import TokenizeConfig, tokenize
from regraft.curation.duplicates.dedup import DedupConfig, deduplicate
from regraft.curation.sample import SampleConfig, sample_documents
from regraft.curation.split import Part, SplitConfig, split_documents
from regraft.evaluation.held_out import HeldOutConfig, evaluate_held_out
from regraft.lm.backbone import BackboneConfig, import_backbone
from regraft.mixture.controllers import Bounds, Controller, ExcessLoss, Fixed, OnlineMixing, TopicPerplexity, Velocity
from regraft.mixture.curriculum import Ascending, Buckets, Descending, Order, Shuffled, WarmupThenRandom
from regraft.mixture.difficulty import DifficultyConfig, score_difficulty
from regraft.mixture.shares import Group, Mixture, Source
from regraft.training.schedule import WarmupStable
from regraft.training.train import TrainConfig, ValidationConfig, train

LANGUAGES = ("zh", "en")
PARTS: tuple[Part, ...] = ("train", "validation", "held_out")
SEPARATOR = "<|endoftext|>"
PLAIN = TokenizeConfig(begin_token=SEPARATOR, end_token=SEPARATOR)
BOUNDS = Bounds(floor=0.01, max_change=0.1)
SAMPLED = {"zh": 5_000_000, "en": 17_000_000}
"""Bytes to learn from, of some 6 and 21 million: seeds differ in the pages that they see."""
BYTES_PER_TOKEN = 1.9
"""Of these Chinese pages under the tokenizer of SmolLM2."""
HALVES = Mixture(
    groups=tuple(
        Group(name=language, share=0.5, sources=(Source(name=f"manuals-{language}", share=1.0),))
        for language in LANGUAGES
    )
)
ORDERS: dict[str, Callable[[int], Order]] = {
    "random": lambda seed: Shuffled(seed=seed),
    "easy_to_hard": lambda seed: Ascending(),
    "hard_to_easy": lambda seed: Descending(),
    "buckets": lambda seed: Buckets(seed=seed),
    "warmup": lambda seed: WarmupThenRandom(seed=seed),
}
"""Of Chinese pages, by seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualsConfig:
    """Nothing to choose."""


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def topics_by_manual(config: ManualsConfig, ctx: Context) -> Metrics:
    """Annotate each document with the manual that its meta names, as its topic."""
    docs = tables.read_shards(ctx.input("docs").path, tables.DOCUMENTS_FOLDER, tables.DOCUMENTS, ["id", "meta"])
    rows = zip(docs["id"].to_pylist(), map(json.loads, docs["meta"].to_pylist()), strict=True)
    table = [{"id": id_, "topic": meta["manual"], "probability": 1.0} for id_, meta in rows]
    tables.write(ctx.out / tables.ANNOTATION_FILE, tables.table_of(table, tables.TOPICS), tables.TOPICS)
    return {"documents": len(table)}


def steering(
    *,
    corpus: str,
    backbone: str,
    arm: str = "fixed",
    seed: int = 0,
    tokens: int = 3_000_000,
    pilot: str = "",
    learning_rate: float = 2e-4,
    decisions: int = 8,
    sequences_per_step: int = 16,
) -> list[Step[Any]]:
    """Train SmolLM2-135M on Chinese and English manuals, half and half, and measure held-out pages of every manual.

    Parameters
    ----------
    corpus
        Folder that `steering_corpus.py` wrote.
    backbone
        Transformers folder.
    arm
        Of shares: fixed, topic_perplexity, online_mixing, velocity, excess_loss. Of order: random, easy_to_hard,
        hard_to_easy, buckets, warmup.
    seed
        Decides which pages are trained on and their order, but for Chinese ones in the arms of order that have their
        own.
    tokens
        Of the training.
    pilot
        JSON file with the held-out loss of each stream at the end of a pilot run, in nats a token, for velocity (as
        target) and excess_loss (as reference).
    learning_rate
        After a warm-up over a twentieth, constant.
    decisions
        Of the controller.
    sequences_per_step
        Of 512 tokens.
    """
    base = import_backbone.step("backbone", BackboneConfig(folder=RawFiles(root=backbone, pattern="*")))
    clean = deduplicate.step("corpus/clean", DedupConfig(), docs=[_pages(corpus, language) for language in LANGUAGES])
    parts = {part: _part(clean, part) for part in PARTS}
    size = tokens if arm in ORDERS else 0
    learn = _sampled(parts["train"], size, seed)
    difficulty = score_difficulty.step(
        "difficulty",
        DifficultyConfig(languages=("zh",), begin_token=SEPARATOR, max_tokens=512, batch_tokens=32_768),
        docs=parts["train"],
        model=base,
    )
    orders = {"zh": ORDERS[arm if arm in ORDERS else "random"](seed), "en": Shuffled(seed=seed)}
    streams = [
        tokenize.step(
            f"tokens/{language}",
            replace(PLAIN, order=orders[language], ordered_languages=(language,), sources=(f"manuals-{language}",)),
            docs=learn,
            model=base,
            topics=_topics("learn", learn),
            difficulty=difficulty if language == "zh" else None,
        )
        for language in LANGUAGES
    ]
    validation = tokenize.step(
        "tokens/validation",
        PLAIN,
        docs=parts["validation"],
        model=base,
        topics=_topics("validation", parts["validation"]),
    )
    controller = _controller(arm, pilot)
    trained = train.step(
        f"train/{arm}",
        TrainConfig(
            tokens=tokens,
            mixture=HALVES,
            schedule=WarmupStable(peak=learning_rate, warmup_tokens=tokens // 20),
            controller=controller,
            controlled_sources=() if controller == Fixed() else ("manuals-zh", "manuals-en"),
            num_decisions=decisions,
            validation=ValidationConfig(tokens_per_stream=4_000, tokens_per_document=256, batch_tokens=32_768),
            sequences_per_step=sequences_per_step,
            sequences_per_batch=sequences_per_step,
        ),
        model=base,
        tokens=streams,
        held_out=validation,
    )
    return [_evaluated(name, model, parts["held_out"]) for name, model in (("base", base), (arm, trained))]


def _pages(corpus: str, language: str) -> Step[Any]:
    reader = JsonLines(id="id", language="language", keep=("manual",))
    files = RawFiles(root=corpus, pattern=f"{language}.jsonl.gz")
    return ingest.step(f"corpus/{language}", IngestConfig(source=f"manuals-{language}", reader=reader, files=files))


def _part(clean: Step[Any], part: Part) -> Step[Any]:
    config = SplitConfig(part=part, share=0.12, validation_share=0.08)
    return split_documents.step(f"corpus/{part}", config, docs=clean)


def _sampled(learn: Step[Any], tokens: int, seed: int) -> Step[Any]:
    """Return four fifths of the pages, others by seed; of the Chinese ones no more than half of `tokens`, unless 0."""
    sizes = {f"manuals-{language}": size for language, size in SAMPLED.items()}
    if tokens:
        sizes["manuals-zh"] = round(tokens / 2 * BYTES_PER_TOKEN)
    return sample_documents.step("corpus/learn", SampleConfig(max_bytes=sizes, seed=seed), docs=learn)


def _topics(name: str, docs: Step[Any]) -> Step[Any]:
    return topics_by_manual.step(f"topics/{name}", ManualsConfig(), docs=docs)


def _controller(arm: str, pilot: str) -> Controller:
    if arm in ORDERS:
        return Fixed()
    controllers: dict[str, Callable[[Mapping[str, float]], Controller]] = {
        "fixed": lambda losses: Fixed(),
        "topic_perplexity": lambda losses: TopicPerplexity(bounds=BOUNDS),
        "online_mixing": lambda losses: OnlineMixing(bounds=BOUNDS),
        "velocity": lambda losses: Velocity(targets=losses, bounds=BOUNDS),
        "excess_loss": lambda losses: ExcessLoss(references=losses, bounds=BOUNDS),
    }
    if arm not in controllers:
        raise ConfigError(f"arm is {arm!r}; there are {[*controllers, *ORDERS]}.")
    return controllers[arm](json.loads(Path(pilot).read_text("utf-8")) if pilot else {})


def _evaluated(name: str, model: Step[Any], docs: Step[Any]) -> Step[Any]:
    config = HeldOutConfig(model=name, begin_token=SEPARATOR, batch_tokens=32_768)
    return evaluate_held_out.step(f"evaluate/{name}", config, model=model, docs=docs, topics=_topics("held-out", docs))
