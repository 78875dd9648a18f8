"""Score how hard each document is for a model: its summed loss, beside the tokens and bytes that it stands for."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from regraft.core import ConfigError, Context, Kind, Metrics, stage


@dataclass(frozen=True, slots=True, kw_only=True)
class DifficultyConfig:
    """Which documents are scored and how. The paper scores all Chinese documents [N]; its settings are unknown."""

    languages: tuple[str, ...]
    """Documents in other languages are not scored: loss, tokens and bytes are 0 for them."""
    begin_token: str = "<|endoftext|>"
    """Set before each document as context; empty for none, and then its first token is not scored."""
    max_tokens: int = 1024
    """Scored from the start of each document; the rest is not read. 0 scores them whole, in overlapping windows."""
    window: int = 2048
    """Tokens that the model sees at once."""
    batch_tokens: int = 4096
    """Tokens of a batch, padding included."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products. float32 gives the loss of a document alone within 1e-4; bfloat16 was 1.7 times as fast on
    a processor that has it, and 1e-3 away."""

    def __post_init__(self) -> None:
        if not self.languages:
            raise ConfigError("languages is empty: nothing would be scored. Name at least one.")
        if self.max_tokens < 0 or min(self.window - 1, self.batch_tokens) < 1:
            raise ConfigError(f"max_tokens must not be negative, window and batch_tokens must be positive: {self}.")


@stage(version=3, makes=Kind.ANNOTATION, docs=Kind.CORPUS, model=Kind.CHECKPOINT)
def score_difficulty(config: DifficultyConfig, ctx: Context) -> Metrics:
    """Annotate each document with its summed loss in nats under the model, rows as in the corpus.

    A document in a language that is not scored has loss, tokens and bytes 0. A shard is in memory at a time. Continues
    from the last finished batch.
    """
    from regraft.corpus import tables
    from regraft.lm.load import load_model, load_tokenizer
    from regraft.lm.threads import torch_threads
    from regraft.mixture.score_shard import ShardScorer

    shards = tables.shards(ctx.input("docs").path, tables.DOCUMENTS_FOLDER)
    languages = Counter[str]()
    for path in shards:
        languages.update(tables.read(path, tables.DOCUMENTS, ["language"])["language"].to_pylist())
    scored = _num_scored(config.languages, languages)
    folder, (loss, tokens, size) = ctx.input("model").file("model"), (0.0, 0, 0)
    started = time.monotonic()
    with (
        ctx.track("score difficulty", scored, "documents") as ticker,
        torch_threads(ctx.execution.workers),
        tables.Writer(ctx.out / tables.ANNOTATION_FILE, tables.LOSSES) as annotation,
    ):
        model = load_model(folder, device=ctx.execution.device)
        scorer = ShardScorer(config, model, load_tokenizer(folder), ctx.scratch, ticker)
        for path in shards:
            rows = scorer(path)
            annotation.write_rows(rows)
            loss += sum(row["loss"] for row in rows)
            tokens += sum(row["tokens"] for row in rows)
            size += sum(row["bytes"] for row in rows)
    _note_speed(ctx, tokens, time.monotonic() - started)
    return {
        "documents": languages.total(),
        "scored_documents": scored,
        "scored_tokens": tokens,
        "scored_bytes": size,
        "nats_per_byte": loss / size if size else None,
    }


def _num_scored(wanted: Sequence[str], given: Mapping[str, int]) -> int:
    number = sum(given.get(language, 0) for language in set(wanted))
    if not number:
        raise ConfigError(f"No document is in {wanted}; the corpus has {sorted(given)}. Name one of these.")
    return number


def _note_speed(ctx: Context, tokens: int, seconds: float) -> None:
    """Log and keep how fast this run scored; batches found from a killed run make it look faster."""
    speed = {"tokens": tokens, "seconds": seconds, "tokens_per_second": tokens / seconds}
    path = ctx.out / "timing" / "scoring.json"
    path.parent.mkdir()
    path.write_text(json.dumps(speed) + "\n", "utf-8")
    ctx.log.info("scored %s tokens, %.0f a second", f"{tokens:,}", speed["tokens_per_second"])
