"""Does steering help? One training of the experiment in `steering.md`, as a recipe.

    regraft run docs/experiments/steering.py:steering --corpus ./manuals --arm fixed --seed 0

The corpus comes from `steering_corpus.py`; `steering_runs.py` makes all runs. A topic is the manual that a page belongs
to, so that no mistake of a classifier is in the way. Arms of shares differ in the controller, arms of order in the
order of the Chinese pages, of which they serve all, once.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from regraft.core import ConfigError, Context, Kind, Metrics, RawFiles, Step, stage
from regraft.corpus import tables
from regraft.corpus.ingest import IngestConfig, JsonLines, ingest
from regraft.corpus.rows import documents
from regraft.corpus.tokens import TokenizeConfig, tokenize
from regraft.curation.duplicates.dedup import DedupConfig, deduplicate
from regraft.curation.sample import SampleConfig, sample_documents
from regraft.curation.split import Part, SplitConfig, split_documents
from regraft.evaluation.held_out import HeldOutConfig, evaluate_held_out
from regraft.lm.tiny import TinyConfig, write_tiny
from regraft.mixture.controllers import Bounds, Controller, ExcessLoss, Fixed, OnlineMixing, TopicPerplexity, Velocity
from regraft.mixture.curriculum import Ascending, Buckets, Descending, Order, Shuffled, WarmupThenRandom
from regraft.mixture.difficulty import DifficultyConfig, score_difficulty
from regraft.mixture.shares import Group, Mixture, Source
from regraft.training.schedules import WarmupStable
from regraft.training.train import TrainConfig, ValidationConfig, train

LANGUAGES = ("zh", "en")
PARTS: tuple[Part, ...] = ("train", "validation", "held_out")
SEPARATOR = "<|endoftext|>"
PLAIN = TokenizeConfig(begin_token=SEPARATOR, end_token=SEPARATOR)
BOUNDS = Bounds(floor=0.01, max_change=0.1)
TINY = TinyConfig(vocab_size=6_000, num_layers=3, hidden_size=96, num_heads=4)
SAMPLED = {"manuals-zh": 5_300_000, "manuals-en": 7_000_000}
"""Bytes to learn from, four fifths of what there is: seeds differ in the pages that they see."""
BYTES_PER_TOKEN = 3.6
"""Of these Chinese pages under the surrogate's tokenizer."""
ENGLISH = Group(name="en", share=0.5, sources=(Source(name="manuals-en", share=1.0),))
CHINESE = Group(name="zh", share=0.5, sources=(Source(name="manuals-zh", share=1.0),))
COMMON: dict[str, Any] = {
    "validation": ValidationConfig(tokens_per_stream=1_500, tokens_per_document=128, batch_tokens=4_096),
    "sequence_length": 256,
    "sequences_per_step": 8,
    "precision": "float32",
}
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SurrogateConfig:
    """A small Llama with random weights, and a tokenizer trained on every n-th page."""

    tiny: TinyConfig
    every: int = 16


@stage(version=1, makes=Kind.CHECKPOINT, docs=Kind.CORPUS)
def make_surrogate(config: SurrogateConfig, ctx: Context) -> Metrics:
    """Write the untrained surrogate; its tokenizer has seen both languages, so that its vocabulary is no obstacle."""
    texts = [d.text for n, d in enumerate(documents(ctx.input("docs"))) if n % config.every == 0]
    return write_tiny(ctx.out / "model", replace(config.tiny, texts=tuple(texts)))


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
    arm: str = "fixed",
    seed: int = 0,
    tokens: int = 400_000,
    english_tokens: int = 1_500_000,
    learning_rate: float = 1e-3,
    decisions: int = 6,
    pilot: str = "",
) -> list[Step[Any]]:
    """Teach a small English model Chinese and English manuals, half and half, and measure held-out pages of each.

    Parameters
    ----------
    corpus
        Folder that `steering_corpus.py` wrote.
    arm
        Of shares: fixed, topic_perplexity, online_mixing, velocity, excess_loss. Of order: random, easy_to_hard,
        hard_to_easy, buckets, warmup.
    seed
        Decides which pages are trained on and their order, but for Chinese ones in the arms of order that have their
        own.
    tokens
        Of the training that is compared.
    english_tokens
        On which the model is trained before, which is the same in all runs.
    learning_rate
        After a warm-up over a twentieth, constant; three times as high in the training before.
    decisions
        Of the controller.
    pilot
        JSON file with the held-out loss of each stream at the end of another run, in nats a token, for velocity (as
        target) and excess_loss (as reference).
    """
    clean = deduplicate.step("corpus/clean", DedupConfig(), docs=[_pages(corpus, language) for language in LANGUAGES])
    parts = {part: _part(clean, part) for part in PARTS}
    learn = _sampled(parts["train"], tokens if arm in ORDERS else 0, seed)
    topics = {name: _topics(name, docs) for name, docs in {**parts, "learn": learn}.items()}
    untrained = make_surrogate.step("surrogate/untrained", SurrogateConfig(tiny=TINY), docs=parts["train"])
    validation = tokenize.step(
        "tokens/validation", PLAIN, docs=parts["validation"], model=untrained, topics=topics["validation"]
    )
    english = tokenize.step(
        "tokens/english", _in_order("en", Shuffled()), docs=parts["train"], model=untrained, topics=topics["train"]
    )
    before = TrainConfig(
        tokens=english_tokens,
        mixture=Mixture(groups=(replace(ENGLISH, share=1.0),)),
        schedule=WarmupStable(peak=3 * learning_rate, warmup_tokens=english_tokens // 20),
        num_decisions=0,
        **COMMON,
    )
    base = train.step("surrogate/english", before, model=untrained, tokens=english, held_out=validation)
    difficulty = score_difficulty.step(
        "difficulty",
        DifficultyConfig(languages=("zh",), begin_token=SEPARATOR, max_tokens=512),
        docs=parts["train"],
        model=base,
    )
    orders = {"zh": ORDERS[arm if arm in ORDERS else "random"](seed), "en": Shuffled(seed=seed)}
    streams = [
        tokenize.step(
            f"tokens/{language}",
            _in_order(language, order),
            docs=learn,
            model=base,
            topics=topics["learn"],
            difficulty=difficulty if language == "zh" else None,
        )
        for language, order in orders.items()
    ]
    controller = _controller(arm, pilot)
    after = TrainConfig(
        tokens=tokens,
        mixture=Mixture(groups=(replace(ENGLISH, share=0.5), CHINESE)),
        schedule=WarmupStable(peak=learning_rate, warmup_tokens=tokens // 20),
        controller=controller,
        controlled_sources=() if controller == Fixed() else ("manuals-zh",),
        num_decisions=decisions,
        **COMMON,
    )
    trained = train.step(f"train/{arm}", after, model=base, tokens=streams, held_out=validation)
    return [
        evaluate_held_out.step(
            f"evaluate/{name}",
            HeldOutConfig(model=name, begin_token=SEPARATOR),
            model=model,
            docs=parts["held_out"],
            topics=topics["held_out"],
        )
        for name, model in (("base", base), (arm, trained))
    ]


def _pages(corpus: str, language: str) -> Step[Any]:
    reader = JsonLines(id="id", language="language", keep=("manual",))
    files = RawFiles(root=corpus, pattern=f"{language}.jsonl.gz")
    return ingest.step(f"corpus/{language}", IngestConfig(source=f"manuals-{language}", reader=reader, files=files))


def _part(clean: Step[Any], part: Part) -> Step[Any]:
    config = SplitConfig(part=part, share=0.12, validation_share=0.08)
    return split_documents.step(f"corpus/{part}", config, docs=clean)


def _sampled(learn: Step[Any], tokens: int, seed: int) -> Step[Any]:
    """Return four fifths of the pages, others by seed; of the Chinese ones no more than half of `tokens`, unless 0."""
    sizes = {**SAMPLED, "manuals-zh": round(tokens / 2 * BYTES_PER_TOKEN) if tokens else SAMPLED["manuals-zh"]}
    return sample_documents.step("corpus/learn", SampleConfig(max_bytes=sizes, seed=seed), docs=learn)


def _topics(name: str, docs: Step[Any]) -> Step[Any]:
    return topics_by_manual.step(f"topics/{name}", ManualsConfig(), docs=docs)


def _in_order(language: str, order: Order) -> TokenizeConfig:
    return replace(PLAIN, order=order, ordered_languages=(language,), sources=(f"manuals-{language}",))


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
