"""A small bilingual training: real stages on a few real sentences and a tiny model."""

import json
import random
import shutil
import string
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from regraft.core import Context, Kind, Metrics, Step, stage
from regraft.corpus import tables
from regraft.corpus.tokens import TokenizeConfig, tokenize
from regraft.lm.tiny import SAMPLE_TEXTS, TinyConfig, make_tiny
from regraft.mixture.controllers import Bounds, OnlineMixing, TopicPerplexity
from regraft.mixture.guard import ForgettingGuard
from regraft.mixture.shares import Group, Mixture, Source
from regraft.training.averaging import Ema
from regraft.training.safety import Safety, Spikes
from regraft.training.schedules import WarmupStable
from regraft.training.train import TrainConfig, ValidationConfig, train

TOPICS = ("gardens", "trees")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextsConfig:
    count: int
    part: str = "train"
    noise: tuple[int, int] = (0, 0)
    """These documents, from the first to before the second, are noise."""


@stage(version=1, makes=Kind.CORPUS)
def write_texts(config: TextsConfig, ctx: Context) -> Metrics:
    """Write English and Chinese documents."""
    rows = [
        {
            "id": f"{config.part}-{language}-{i}",
            "text": f"{i} {config.part} " + (_noise(i) if i in range(*config.noise) else text * 2),
            "source": f"web-{language}",
            "language": language,
            "parents": [],
            "meta": "{}",
        }
        for language, text in zip(("en", "zh"), SAMPLE_TEXTS, strict=True)
        for i in range(config.count)
    ]
    tables.write(ctx.out / "documents/00000.parquet", tables.table_of(rows, tables.DOCUMENTS), tables.DOCUMENTS)
    tables.write(ctx.out / "rejects/00000.parquet", tables.table_of([], tables.REJECTS), tables.REJECTS)
    return {"documents": len(rows)}


def _noise(seed: int) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters + string.punctuation, k=160))


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonConfig:
    token: str


@stage(version=1, makes=Kind.CHECKPOINT, model=Kind.CHECKPOINT)
def poison(config: PoisonConfig, ctx: Context) -> Metrics:
    """Make the input embedding of one token NaN; the output embedding becomes a matrix of its own."""
    import torch
    from safetensors.torch import load_file, save_file

    from regraft.lm.load import load_tokenizer

    folder = ctx.out / "model"
    shutil.copytree(ctx.input("model").file("model"), folder)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"tie_word_embeddings": False}))
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    weights["model.embed_tokens.weight"][load_tokenizer(folder).token_to_id(config.token)] = torch.nan
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternateConfig:
    topics: tuple[str, ...] = TOPICS


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def alternate_topics(config: AlternateConfig, ctx: Context) -> Metrics:
    """Label documents with the topics in turn."""
    ids = tables.read(ctx.input("docs").file("documents/00000.parquet"), tables.DOCUMENTS, ["id"])["id"].to_pylist()
    rows = [
        {"id": name, "topic": config.topics[i % len(config.topics)], "probability": 1.0} for i, name in enumerate(ids)
    ]
    tables.write(ctx.out / tables.ANNOTATION_FILE, tables.table_of(rows, tables.TOPICS), tables.TOPICS)
    return {"documents": len(rows)}


MIXTURE = Mixture(
    groups=(
        Group(name="zh", share=0.5, sources=(Source(name="web-zh", share=1.0),)),
        Group(name="en", share=0.5, sources=(Source(name="web-en", share=1.0),)),
    )
)


def tokens_of(name: str, corpus: Step[Any], model: Step[Any]) -> Step[Any]:
    topics = alternate_topics.step(f"topics/{name}", AlternateConfig(), docs=corpus)
    return tokenize.step(f"tokens/{name}", TokenizeConfig(), docs=corpus, model=model, topics=topics)


def training(count: int = 24, noise: tuple[int, int] = (0, 0), poisoned: str = "", **changes: Any) -> Step[TrainConfig]:
    """Return the steps of a training of 12 optimizer steps on 2 languages x 2 topics, steered twice."""
    model: Step[Any] = make_tiny.step("backbone", TinyConfig())
    if poisoned:
        model = poison.step("poisoned", PoisonConfig(token=poisoned), model=model)
    learn = tokens_of("train", write_texts.step("corpus/train", TextsConfig(count=count, noise=noise)), model)
    held_out = tokens_of("held-out", write_texts.step("corpus/held-out", TextsConfig(count=8, part="held")), model)
    settings: dict[str, Any] = {
        "tokens": 12 * 2 * 64,
        "mixture": MIXTURE,
        "schedule": WarmupStable(peak=1e-2, warmup_tokens=256),
        "controller": TopicPerplexity(step_size=0.5, noise_gate=0.0, bounds=Bounds(floor=0.1)),
        "controlled_sources": ("web-zh",),
        "num_decisions": 2,
        "validation": ValidationConfig(tokens_per_stream=400, tokens_per_document=100),
        "sequence_length": 64,
        "sequences_per_step": 2,
        "precision": "float32",
        **changes,
    }
    return train.step("train", TrainConfig(**settings), model=model, tokens=learn, held_out=held_out)


def remembering() -> Step[TrainConfig]:
    """Return a training whose decisions, after steps 3, 6 and 9, build on each other, and whose Chinese ends early.

    The controller is a bandit, and the guard raises replay while Chinese is left.
    """
    groups = (replace(MIXTURE.groups[0], share=0.9), replace(MIXTURE.groups[1], share=0.1))
    return training(
        count=20,
        num_decisions=3,
        schedule=WarmupStable(peak=0.5, warmup_tokens=64),
        mixture=Mixture(groups=groups),
        controller=OnlineMixing(),
        guard=ForgettingGuard(protected=("web-en",), replay="en", limit=0.001, noise_gate=0.0, step=0.2),
    )


def noisy() -> Step[TrainConfig]:
    """Return a training of 20 steps in which noise makes the loss jump, so that it rolls back."""
    spikes = Spikes(window=4, deviations=2, patience=2, anchor_steps=2, max_rollbacks=9)
    return training(count=48, noise=(16, 18), tokens=20 * 2 * 64, num_decisions=0, safety=Safety(spikes=spikes))


def averaging() -> Step[TrainConfig]:
    """Return a training of 12 steps with mean weights that are kept too; anchors after steps 4, 8 are checkpoints."""
    spikes = Spikes(window=4, anchor_steps=4, deviations=1e6, nats=1e6)
    return training(average=Ema(decay=0.8), keep_every=5 * 128, safety=Safety(spikes=spikes))


def flip_byte(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
