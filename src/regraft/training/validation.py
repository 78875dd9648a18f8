"""Held-out loss measured while training, by language, source and topic: what the controller steers by."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from regraft.core import ConfigError, RegraftError
from regraft.corpus.tokens import TokenStore
from regraft.lm.batches import plan_batches
from regraft.lm.loss import Precision, batch_losses
from regraft.mixture.shares import StreamKey
from regraft.training.parallel import Ranks
from regraft.training.train import ValidationConfig

MIN_DOCUMENTS = 3
"""With fewer, an error cannot be told, and no change counts as measured. Not in the paper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Held-out loss of one stream, document by document."""

    losses: tuple[float, ...]
    """Sum in nats of each document."""
    lengths: tuple[int, ...]
    """Scored tokens of each document."""

    @property
    def loss(self) -> float:
        return math.fsum(self.losses)

    @property
    def tokens(self) -> int:
        return sum(self.lengths)

    @property
    def per_token(self) -> float:
        return self.loss / self.tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The held-out documents of each stream, as token ids, cut to a prefix."""

    documents: Mapping[StreamKey, Sequence[Sequence[int]]]
    batch_tokens: int
    precision: Precision
    difficulty: Mapping[StreamKey, Sequence[float]]
    """Of the same documents, NaN where it was not measured."""
    difficulty_measure: str
    """Of their difficulty; empty when they have none."""

    @property
    def num_tokens(self) -> int:
        """Tokens that one measurement scores."""
        return sum(len(d) - 1 for documents in self.documents.values() for d in documents)

    def measure(self, objective: torch.nn.Module, ranks: Ranks) -> dict[StreamKey, Measured]:
        """Return the loss of every stream under the model as it is now; the processes share the batches.

        Args:
            objective: a `CausalLoss`, wrapped or not.
            ranks: every process of them calls this.

        Raises:
            RegraftError: a loss is not finite.
        """
        losses = iter(self._losses(objective, ranks))
        measured = {
            stream: Measured(
                losses=tuple(next(losses) for _ in documents), lengths=tuple(len(d) - 1 for d in documents)
            )
            for stream, documents in self.documents.items()
        }
        for stream, found in measured.items():
            if not math.isfinite(found.loss):
                raise RegraftError(f"The held-out loss of {stream} is {found.loss}: the model has diverged.")
        return measured

    def _losses(self, objective: torch.nn.Module, ranks: Ranks) -> list[float]:
        """Return the loss of each document, in the order of the streams."""
        flat = [document for documents in self.documents.values() for document in documents]
        batches = plan_batches(list(map(len, flat)), batch_tokens=self.batch_tokens, window=max(map(len, flat)))
        was_training = objective.training
        objective.eval()
        mine = [batch_losses(objective, flat, batch, ranks.device, self.precision) for batch in ranks.share(batches)]
        objective.train(was_training)
        totals = [0.0] * len(flat)
        for batch, losses in zip(batches, ranks.gather(mine, len(batches)), strict=True):
            for piece, loss in zip(batch, losses, strict=True):
                totals[piece.document] += loss
        return totals


def open_validation(folder: Path, config: ValidationConfig, precision: Precision, context: int) -> Validation:
    """Take the held-out documents of each stream of a TOKENS artifact, in order, up to the size that is asked for.

    Of each, as much as is asked for and as the model sees at once (`context`, in tokens).

    Raises:
        ConfigError: the artifact has no document of a source that is named.
    """
    store = TokenStore.open(folder)
    chosen: dict[StreamKey, list[Sequence[int]]] = {}
    difficulty: dict[StreamKey, list[float]] = {}
    missing = set(config.sources) - {source for _, source, _ in store.streams}
    if missing:
        raise ConfigError(f"validation: {folder.name} holds no document of {sorted(missing)}.")
    for (language, source, topic), rows in store.streams.items():
        if config.sources and source not in config.sources:
            continue
        key = StreamKey(language=language, source=source, topic=topic)
        documents = chosen.setdefault(key, [])
        room = config.tokens_per_stream
        for row in rows:
            if room <= 0:
                break
            documents.append(store.document(int(row))[: min(config.tokens_per_document, context + 1)].tolist())
            room -= len(documents[-1]) - 1
        difficulty[key] = store.difficulty[rows[: len(documents)]].tolist()
    return Validation(
        documents=chosen,
        batch_tokens=config.batch_tokens,
        precision=precision,
        difficulty=difficulty,
        difficulty_measure=store.measure,
    )


def standard_error(losses: Sequence[float], lengths: Sequence[int]) -> float:
    """Return the standard error over documents of the ratio sum(losses) / sum(lengths), in nats a token.

    Given differences of losses it is the paired error of a change; infinite for fewer than `MIN_DOCUMENTS`.
    Source: of a ratio of two sums over a sample, linearised (Cochran, Sampling Techniques, 3rd edition, section 2.11
    [R]); what a bootstrap over documents tends to, times sqrt(n / (n - 1)).
    """
    n = len(losses)
    if n < MIN_DOCUMENTS:
        return math.inf
    size = math.fsum(lengths)
    ratio = math.fsum(losses) / size
    squares = ((loss - ratio * length) ** 2 for loss, length in zip(losses, lengths, strict=True))
    return math.sqrt(n / (n - 1) * math.fsum(squares)) / size
