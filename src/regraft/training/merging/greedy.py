"""The greedy soup: checkpoints join it one by one, as long as its held-out loss falls."""

import math
import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from regraft.core import Context, RegraftError
from regraft.lm.import_model import describe_model
from regraft.lm.load import load_model
from regraft.lm.loss import document_losses
from regraft.lm.loss_store import LossStore
from regraft.training.merging.soup import write_soup
from regraft.training.merging.weights import Greedy, Member
from regraft.training.validation import open_validation


def greedy_weights(
    config: Greedy, members: Sequence[Member], held_out: Path, ctx: Context
) -> tuple[tuple[float, ...], dict[str, float]]:
    """Return the weight of each member, and the held-out loss of each trial in nats a token by what was tried.

    Members are tried in the order of their own loss; on equal loss, the earlier one first.

    Raises:
        RegraftError: the loss of a member is not finite.
    """
    context = int(describe_model(members[0].folder)["context"] or 0)
    scorer = Scorer(config, held_out, context, ctx)
    alone = [scorer.loss(member.folder, member.name) for member in members]
    order = sorted(range(len(members)), key=lambda number: alone[number])
    chosen, best = order[:1], alone[order[0]]
    figures = {f"loss.{member.name}": loss for member, loss in zip(members, alone, strict=True)}
    for number in order[1:]:
        trial = [*chosen, number]
        loss = scorer.soup_loss([members[i].folder for i in trial], f"soup with {members[number].name}")
        figures[f"loss_with.{members[number].name}"] = loss
        if loss < best:
            chosen, best = trial, loss
    figures["loss"] = best
    return tuple(1 / len(chosen) if i in chosen else 0.0 for i in range(len(members))), figures


class Scorer:
    """Held-out loss of models on disk; what was scored before a crash is not scored again."""

    def __init__(self, config: Greedy, held_out: Path, context: int, ctx: Context) -> None:
        validation = open_validation(held_out, config.validation, config.precision, context)
        self.config, self.ctx = config, ctx
        self.documents = list(chain.from_iterable(validation.documents.values()))
        self.num_tokens = sum(len(document) - 1 for document in self.documents)
        self.num_trials = 0

    def loss(self, folder: Path, name: str) -> float:
        """Return the loss of a Transformers folder in nats a token."""
        self.num_trials += 1
        nats = document_losses(
            load_model(folder, device=self.ctx.execution.device),
            self.documents,
            batch_tokens=self.config.validation.batch_tokens,
            precision=self.config.precision,
            store=LossStore(self.ctx.scratch / f"trial-{self.num_trials:04d}.jsonl"),
        )
        loss = math.fsum(nats) / self.num_tokens
        if not math.isfinite(loss):
            raise RegraftError(f"The held-out loss of {name} is {loss}; leave this checkpoint out.")
        self.ctx.log.info("%s: %.5f nats a token", name, loss)
        return loss

    def soup_loss(self, folders: Sequence[Path], name: str) -> float:
        """Return the loss of the uniform soup of Transformers folders."""
        trial = self.ctx.scratch / "trial" / "model"
        shutil.rmtree(trial, ignore_errors=True)
        write_soup(folders, [1 / len(folders)] * len(folders), trial, "float32")
        return self.loss(trial, name)
