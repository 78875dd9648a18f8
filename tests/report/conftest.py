"""A small store made by the real runner: stages that write small valid tables stand for training and curation."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from regraft.core import Context, Kind, Metrics, Run, Store, many, optional, run, stage
from regraft.corpus import tables

HOSTILE = "<script>alert('x')</script>"
CRITERIA = (
    {
        "name": "Chinese bits per byte at least 10 % lower",
        "metric": "relative change of bits per byte",
        "slice": "zh",
        "at_most": -0.1,
        "excludes_zero": True,
    },
    {
        "name": "English at most 0.1 % higher",
        "metric": "relative change of bits per byte",
        "slice": "en/wikipedia",
        "at_most": 0.001,
    },
    {
        "name": "English surely at most 1 % higher",
        "metric": "relative change of bits per byte",
        "slice": "en/wikipedia",
        "at_most": 0.01,
        "by": "interval",
    },
    {
        "name": "Too few documents to be sure",
        "metric": "relative change of bits per byte",
        "slice": "en/pubmed",
        "at_most": 0.01,
        "by": "interval",
    },
    {"name": "An accuracy of no named task", "metric": "change of accuracy", "slice": "en", "at_least": 0.0},
    {
        "name": "The accuracy of one task",
        "task": "boolq",
        "metric": "change of accuracy",
        "slice": "en",
        "at_least": 0.0,
    },
    {"name": "Something never measured", "metric": "relative change of bits per byte", "slice": "fr"},
)
PIECES = [[("d0", 8)], [("d4", 8)], [("d0", 6), ("d4", 2)]]
"""Pieces of documents in the sequences of the stand-in training, in turn."""
NAN = float("nan")
LAPS = {
    "data_seconds": 0.1,
    "forward_backward_seconds": 1.7,
    "optimizer_seconds": 0.2,
    "evaluation_seconds": 0.2,
    "checkpoint_seconds": 0.0,
    "logging_seconds": 0.0,
}
TASKS = {"mmlu": (0.31, 0.25), "boolq": (0.61, 0.5)}
"""Accuracy and chance."""
MODELS = {"base": 2.4, "bilingual": 2.1, "final": 2.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInConfig:
    """Names what a stand-in writes."""

    model: str = ""
    task: str = "mmlu"
    max_tokens: int = 256
    sequence_length: int = 8
    whole_sources: tuple[str, ...] = ()
    synthetic: bool = False
    start: int = 0


def put(ctx, name, schema, rows):
    tables.write(ctx.out / name, tables.table_of(rows, schema), schema)


@stage(version=1, makes=Kind.CORPUS, docs=optional(Kind.CORPUS))
def curate(config: StandInConfig, ctx: Context) -> Metrics:
    texts = [
        ("zh", "debian-zh", "网络接口的配置保存在文本文件里。"),
        ("en", "wikipedia", f"Grafting {HOSTILE} & pruning"),
    ]
    rows = [
        {
            "id": f"d{i}",
            "text": t * 80,
            "source": s,
            "language": lang,
            "parents": ["d9"] if config.synthetic else [],
            "meta": "{}",
        }
        for i, (lang, s, t) in enumerate(texts * 4)
    ]
    reject = {
        "id": "x1",
        "source": "debian-zh",
        "stage": "filter",
        "reason": "too_short",
        "detail": "3 words",
        "excerpt": HOSTILE,
    }
    put(ctx, "documents/00000.parquet", tables.DOCUMENTS, rows)
    put(ctx, "rejects/00000.parquet", tables.REJECTS, [reject] * 3)
    return {"documents_read": 11, "documents": 8, "rejected": 3, "other_part": 5}


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def score(config: StandInConfig, ctx: Context) -> Metrics:
    put(
        ctx,
        tables.ANNOTATION_FILE,
        tables.LOSSES,
        [{"id": f"d{i}", "loss": 100.0 * (i + 1), "tokens": 50, "bytes": 100} for i in range(8)],
    )
    return {}


@stage(version=1, makes=Kind.TOKENS, docs=Kind.CORPUS, difficulty=optional(Kind.ANNOTATION))
def tokenize(config: StandInConfig, ctx: Context) -> Metrics:
    rows = [
        {
            "id": f"d{i}",
            "language": "zh",
            "source": "debian-zh",
            "topic": HOSTILE if i % 4 else "Networking",
            "offset": 8 * i,
            "length": 8,
            "bytes": 100,
            "difficulty": float(i + 1),
        }
        for i in range(0, 8, 2)
    ]
    put(ctx, tables.INDEX_FILE, tables.INDEX, rows)
    return {}


@stage(
    version=1, makes=Kind.CHECKPOINT, model=optional(Kind.CHECKPOINT), tokens=many(Kind.TOKENS), held_out=Kind.TOKENS
)
def train(config: StandInConfig, ctx: Context) -> Metrics:
    streams = ["zh/debian-zh/Networking", f"zh/debian-zh/{HOSTILE}"]
    events = [
        {"step": 7, "stream": "en/pubmed/-", "what": "ended", "detail": "its share passes to en/wikipedia/-, zh/x/-"}
    ]
    put(ctx, tables.EVENTS_FILE, tables.EVENTS, [] if config.start else events)
    put(
        ctx,
        tables.STEPS_FILE,
        tables.STEPS,
        [
            {"step": i, "tokens": 16 * i, "loss": 3 / i + 2, "learning_rate": 1e-4 * i, "gradient_norm": 1.0}
            for i in range(1, 41)
        ],
    )
    put(
        ctx,
        tables.SERVED_FILE,
        tables.SERVED,
        [
            {"step": i, "stream": streams[i % 2], "sequence": (i - 1) // 2, "id": id_, "start": 0, "stop": tokens}
            for i in range(1, 41)
            for id_, tokens in PIECES[(i - 1) // 2 % 3]
        ],
    )
    put(
        ctx,
        tables.SHARES_FILE,
        tables.SHARES,
        [
            {
                "step": step,
                "stream": stream,
                "share_before": share - 0.1 if step else share,
                "share": share,
                "effective_share": share,
                "loss": 3.0,
                "loss_before": 2.9,
                "initial_loss": 3.1,
                "target_loss": math.nan,
                "error": 0.05,
                "change": 0.1,
                "delta": 0.2 if step else 0.0,
                "factor": 1.1 if step else 1.0,
                "memory": 0.0,
                "reason": "loss fell less",
            }
            for step in (0, 10, 20, 30)
            for stream, share in ((streams[0], 0.4 + step / 100), (streams[1], 0.6 - step / 100))
        ],
    )
    put(
        ctx,
        tables.HELD_OUT_FILE,
        tables.HELD_OUT,
        [
            {
                "step": s,
                "language": "zh",
                "source": "debian-zh",
                "topic": topic,
                "loss": 300.0 - s,
                "tokens": 100,
                "documents": 4,
                "error": 0.05,
            }
            for topic in ("Networking", "-")
            for s in (0, 10, 20, 30)
        ],
    )
    put(
        ctx,
        tables.STEP_TIMES_FILE,
        tables.STEP_TIMES,
        [{"step": i, "seconds": 2.0, "tokens_per_second": 187.5, **LAPS} for i in range(1, 41)],
    )
    return {
        "tokens": 640,
        "steps": 40,
        "sequence_length": 8,
        "padding_tokens": 16,
        "left_out_documents": 7,
        "planned.zh": 640,
        "served.zh": 624,
        "planned.debian-zh": 640,
        "served.debian-zh": 624,
    }


@stage(version=1, makes=Kind.EVALUATION, model=Kind.CHECKPOINT)
def held_out(config: StandInConfig, ctx: Context) -> Metrics:
    value = MODELS[config.model]
    put(
        ctx,
        tables.METRICS_FILE,
        tables.METRICS,
        [
            {
                "model": config.model,
                "task": "held-out text",
                "metric": "bits per byte",
                "slice": s,
                "value": v,
                "low": low,
                "high": high,
                "n": n,
                "clusters": clusters,
            }
            for s, v, low, high, n, clusters in (
                ("zh", value, value - 0.05, value + 0.05, 80, 6),
                ("zh/debian-zh", value, value - 0.05, value + 0.05, 80, 6),
                (f"zh/debian-zh/{HOSTILE}", value, NAN, NAN, 4, 2),
                ("en", 1.012, 0.962, 1.062, 80, 80),
                ("en/wikipedia", 1.012, 0.962, 1.062, 80, 80),
                ("en/pubmed", 1.2, NAN, NAN, 3, 3),
            )
        ],
    )
    return {}


@stage(version=1, makes=Kind.EVALUATION, model=Kind.CHECKPOINT)
def questions(config: StandInConfig, ctx: Context) -> Metrics:
    accuracy, chance = TASKS[config.task]
    rows = [
        ("accuracy", accuracy, 0.25, 0.375),
        ("accuracy by byte", 0.335, 0.27, 0.4),
        ("accuracy by chance", chance, chance, chance),
        ("bits per byte of the answer", 1.54, 1.4, 1.7),
    ]
    put(
        ctx,
        tables.METRICS_FILE,
        tables.METRICS,
        [
            {
                "model": config.model,
                "task": config.task,
                "metric": m,
                "slice": "en",
                "value": v,
                "low": lo,
                "high": hi,
                "n": 200,
                "clusters": 200,
            }
            for m, v, lo, hi in rows
        ],
    )
    return {
        "asked": 200 if config.task == "mmlu" else 50,
        "not_drawn": 900,
        "too_long": 1700,
        "duplicate": 17,
        "malformed": 3,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInComparison:
    """Says what the comparison sets out to show, as the config of the real stage does."""

    model: str
    criteria: tuple[Mapping[str, Any], ...] = CRITERIA
    notes: tuple[str, ...] = ("Shares are 1:1; the paper uses 2:8.",)


@stage(version=1, makes=Kind.EVALUATION, before=many(Kind.EVALUATION), after=many(Kind.EVALUATION))
def compare(config: StandInComparison, ctx: Context) -> Metrics:
    nan = NAN
    old, new = MODELS["base"], MODELS[config.model]
    figures = [
        ("held-out text", "zh", "bits per byte before", old, nan, nan),
        ("held-out text", "zh", "bits per byte after", new, nan, nan),
        ("held-out text", "zh", "relative change of bits per byte", new / old - 1, -0.142, -0.121),
        ("held-out text", "en/wikipedia", "bits per byte before", 1.012, nan, nan),
        ("held-out text", "en/wikipedia", "bits per byte after", 1.016, nan, nan),
        ("held-out text", "en/wikipedia", "relative change of bits per byte", 0.004, -0.002, 0.011),
        ("held-out text", "en/pubmed", "bits per byte before", 1.2, nan, nan),
        ("held-out text", "en/pubmed", "bits per byte after", 1.1, nan, nan),
        ("held-out text", "en/pubmed", "relative change of bits per byte", -0.083, nan, nan),
        ("boolq", "en", "accuracy before", 0.60, nan, nan),
        ("boolq", "en", "accuracy after", 0.61, nan, nan),
        ("boolq", "en", "change of accuracy", 0.01, -0.01, 0.03),
        ("mmlu", "en", "accuracy before", 0.30, nan, nan),
        ("mmlu", "en", "accuracy after", 0.31, nan, nan),
        ("mmlu", "en", "change of accuracy", 0.01, -0.02, 0.04),
        ("mmlu", "en", "accuracy gained", 12.0, nan, nan),
        ("mmlu", "en", "accuracy lost", 10.0, nan, nan),
        ("mmlu", "en", "accuracy McNemar p", 0.832, nan, nan),
    ]
    put(
        ctx,
        tables.METRICS_FILE,
        tables.METRICS,
        [
            {
                "model": config.model,
                "task": t,
                "metric": m,
                "slice": s,
                "value": v,
                "low": lo,
                "high": hi,
                "n": 3 if s == "en/pubmed" else 80,
                "clusters": {"zh": 6, "en/pubmed": 3}.get(s, 80),
            }
            for t, s, m, v, lo, hi in figures
        ],
    )
    return {"before": "base", "after": config.model}


@stage(version=1, makes=Kind.ANNOTATION, docs=Kind.CORPUS)
def generate(config: StandInConfig, ctx: Context) -> Metrics:
    (ctx.out / "pairs.json").write_text("{}", "utf-8")
    return {"requests": 4, "prompt_tokens": 100, "completion_tokens": 50, "spent_tokens": 1777, "cost": None}


@stage(version=1, makes=Kind.CHECKPOINT)
def backbone(config: StandInConfig, ctx: Context) -> Metrics:
    (ctx.out / "config.json").write_text(json.dumps({}), "utf-8")
    return {}


def recipe():
    base = backbone.step("backbone", StandInConfig())
    docs = curate.step("corpus/clean", StandInConfig())
    difficulty = score.step("difficulty", StandInConfig(), docs=docs)
    tokens = tokenize.step("tokens/train", StandInConfig(), docs=docs, difficulty=difficulty)
    held = tokenize.step("tokens/held-out", StandInConfig(start=1), docs=docs)
    pairs = curate.step("synthesis/science-qa", StandInConfig(synthetic=True), docs=docs)
    pair_tokens = tokenize.step("tokens/synthetic", StandInConfig(start=2), docs=pairs)
    stage1 = train.step("train/bilingual", StandInConfig(), model=base, tokens=tokens, held_out=held)
    stage2 = train.step(
        "train/synthetic", StandInConfig(start=1), model=stage1, tokens=[tokens, pair_tokens], held_out=held
    )
    models = {"base": base, "bilingual": stage1, "final": stage2}
    scores = {n: held_out.step(f"evaluate/{n}/held-out", StandInConfig(model=n), model=m) for n, m in models.items()}
    sides = {
        n: [
            scores[n],
            *(questions.step(f"evaluate/{n}/{t}", StandInConfig(model=n, task=t), model=m) for t in TASKS),
        ]
        for n, m in models.items()
    }
    generated = generate.step("synthesis/generated", StandInConfig(), docs=docs)
    return [generated] + [
        compare.step(f"compare/{n}", StandInComparison(model=n), before=sides["base"], after=sides[n])
        for n in ("bilingual", "final")
    ]


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> tuple[Store, Run]:
    store = Store(tmp_path_factory.mktemp("report") / "store")
    return store, run(recipe(), store, recipe="quickstart", parameters={"tokens": 640})
