"""Score how hard each document is for a model: its summed loss, beside the tokens and bytes that it stands for."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from regraft.core import ConfigError, Context, Kind, Metrics, stage

NOT_SCORED = (0.0, 0, 0)
"""Loss, tokens and bytes of a document in another language."""


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


@stage(version=2, makes=Kind.ANNOTATION, docs=Kind.CORPUS, model=Kind.CHECKPOINT)
def score_difficulty(config: DifficultyConfig, ctx: Context) -> Metrics:
    """Annotate each document with its summed loss in nats under the model, rows as in the corpus.

    A document in a language that is not scored has loss, tokens and bytes 0. Continues from the last finished batch.
    """
    from regraft.corpus import tables
    from regraft.lm.load import load_model, load_tokenizer
    from regraft.lm.loss import document_losses
    from regraft.lm.loss_store import LossStore
    from regraft.lm.threads import torch_threads
    from regraft.mixture.prefixes import prefix_of

    folder = ctx.input("model").file("model")
    docs = tables.read_shards(
        ctx.input("docs").path, tables.DOCUMENTS_FOLDER, tables.DOCUMENTS, ["id", "text", "language"]
    )
    rows = _rows_in(config.languages, docs.column("language").to_pylist())
    tokenizer, texts = load_tokenizer(folder), docs.column("text")
    prefixes = [prefix_of(texts[i].as_py(), tokenizer, config.begin_token, config.max_tokens) for i in rows]
    tokens, size = sum(prefix.num_scored for prefix in prefixes), sum(prefix.num_bytes for prefix in prefixes)
    started = time.monotonic()
    with ctx.track("score difficulty", tokens, "tokens") as ticker, torch_threads(ctx.execution.workers):
        losses = document_losses(
            load_model(folder, device=ctx.execution.device),
            [prefix.ids for prefix in prefixes],
            batch_tokens=config.batch_tokens,
            window=config.window,
            precision=config.precision,
            advance=ticker.advance,
            store=LossStore(ctx.scratch / "losses.jsonl"),
        )
    _note_speed(ctx, tokens, time.monotonic() - started)
    found = {row: (loss, p.num_scored, p.num_bytes) for row, p, loss in zip(rows, prefixes, losses, strict=True)}
    scores = (found.get(row, NOT_SCORED) for row in range(docs.num_rows))
    lines = zip(docs.column("id").to_pylist(), scores, strict=True)
    annotation = tables.table_of(
        ({"id": i, "loss": x, "tokens": n, "bytes": b} for i, (x, n, b) in lines), tables.LOSSES
    )
    tables.write(ctx.out / tables.ANNOTATION_FILE, annotation, tables.LOSSES)
    return {
        "documents": docs.num_rows,
        "scored_documents": len(rows),
        "scored_tokens": tokens,
        "scored_bytes": size,
        "nats_per_byte": sum(losses) / size if size else None,
    }


def _rows_in(languages: Sequence[str], given: Sequence[str]) -> list[int]:
    rows = [i for i, language in enumerate(given) if language in languages]
    if not rows:
        raise ConfigError(f"No document is in {languages}; the corpus has {sorted(set(given))}. Name one of these.")
    return rows


def _note_speed(ctx: Context, tokens: int, seconds: float) -> None:
    """Log and keep how fast this run scored; batches found from a killed run make it look faster."""
    speed = {"tokens": tokens, "seconds": seconds, "tokens_per_second": tokens / seconds}
    path = ctx.out / "timing" / "scoring.json"
    path.parent.mkdir()
    path.write_text(json.dumps(speed) + "\n", "utf-8")
    ctx.log.info("scored %s tokens, %.0f a second", f"{tokens:,}", speed["tokens_per_second"])
