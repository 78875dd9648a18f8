"""The kernel of `score_difficulty`: the documents of one shard, so that memory holds no more texts and tokens."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedModel

from regraft.core import Ticker
from regraft.corpus import tables
from regraft.lm.loss import document_losses
from regraft.lm.loss_store import LossStore
from regraft.mixture.difficulty import DifficultyConfig
from regraft.mixture.prefixes import prefix_of

NOT_SCORED = {"loss": 0.0, "tokens": 0, "bytes": 0}
"""Of a document in another language."""


@dataclass(frozen=True, slots=True)
class ShardScorer:
    """Scores one shard after the other with one model."""

    config: DifficultyConfig
    model: PreTrainedModel
    tokenizer: Tokenizer
    scratch: Path
    ticker: Ticker
    """Told of documents, in parts as batches are done."""

    def __call__(self, shard: Path) -> list[dict[str, Any]]:
        """Return the rows of `tables.LOSSES` of a shard, in its order; batches that are in scratch are not scored."""
        columns = tables.read(shard, tables.DOCUMENTS, ["id", "text", "language"])
        rows = [{"id": id_, **NOT_SCORED} for id_ in columns["id"].to_pylist()]
        asked = [i for i, language in enumerate(columns["language"].to_pylist()) if language in self.config.languages]
        texts = (columns["text"][i].as_py() for i in asked)
        prefixes = [prefix_of(t, self.tokenizer, self.config.begin_token, self.config.max_tokens) for t in texts]
        losses = document_losses(
            self.model,
            [prefix.ids for prefix in prefixes],
            batch_tokens=self.config.batch_tokens,
            window=self.config.window,
            precision=self.config.precision,
            advance=self._advance(len(asked), sum(prefix.num_scored for prefix in prefixes)),
            store=LossStore(self.scratch / f"{shard.stem}.jsonl"),
        )
        for i, prefix, loss in zip(asked, prefixes, losses, strict=True):
            rows[i].update(loss=loss, tokens=prefix.num_scored, bytes=prefix.num_bytes)
        return rows

    def _advance(self, documents: int, tokens: int) -> Callable[[float], object]:
        """Return what turns tokens that were scored into their share of the documents of the shard."""
        return lambda scored: self.ticker.advance(documents * scored / tokens)
