"""A stated share of a corpus of pairs corrupted in a stated way, to learn how clean synthetic text has to be.

Source: Llama-3-SynE (arXiv:2407.18743), surrogate experiments on quality: errors in up to some 30 % of the synthetic
documents hardly mattered, beyond some 50 % they did [N]; levels 0, .3, .4, .5, .6, .7 [R].
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from regraft.core import ConfigError, Context, Kind, Metrics, stage
from regraft.synthesis.corruption.answers import AnswerSwap, DroppedReasoning, OptionShuffle
from regraft.synthesis.corruption.corruption import Corrupted, Corruption, Draw, Original
from regraft.synthesis.corruption.substitutions import (
    FrequentWordSubstitution,
    NumberSubstitution,
    SymbolSubstitution,
)

if TYPE_CHECKING:
    from regraft.synthesis.corruption.choice import Choice

__all__ = [
    "MIXED",
    "AnswerSwap",
    "CorruptConfig",
    "Corrupted",
    "Corruption",
    "Draw",
    "DroppedReasoning",
    "FrequentWordSubstitution",
    "NumberSubstitution",
    "OptionShuffle",
    "Original",
    "SymbolSubstitution",
    "corrupt",
]

MIXED: tuple[Corruption, ...] = (NumberSubstitution(), FrequentWordSubstitution(), SymbolSubstitution())
"""The mixture of the paper [R]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorruptConfig:
    """How many documents are corrupted, and how."""

    rate: float
    """Share of all documents. A higher one corrupts all that a lower one does, in the same way, and more."""
    kinds: tuple[Corruption, ...] = MIXED
    """Of several, chance chooses one for each document among those that find something in it."""
    seed: int = 0
    incorruptible: Literal["replace", "stay"] = "replace"
    """A document in which no kind finds anything: another takes its place, so that the rate is exact, or it stays
    among those chosen as it is, and the rate is lower than asked for."""

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ConfigError(f"rate is {self.rate}; give a share from 0 to 1.")
        if not self.kinds:
            raise ConfigError("kinds is empty; give at least one.")


def describe(config: CorruptConfig) -> str:
    """Say what a config amounts to, for `regraft plan`."""
    return f"{config.rate:.0%} of the documents: {', '.join(kind.name for kind in config.kinds)}"


@stage(version=2, makes=Kind.CORPUS, describe=describe, docs=Kind.CORPUS)
def corrupt(config: CorruptConfig, ctx: Context) -> Metrics:
    """Write all documents in their order, the chosen ones corrupted: these have their original as first parent.

    A corrupted document has an id of its own, so annotate after this stage. What was changed is in its `meta`.

    Raises:
        RegraftError: fewer documents can be corrupted than are to be.
    """
    from regraft.corpus import tables
    from regraft.corpus.dataflow import collect, each
    from regraft.corpus.rows import num_documents
    from regraft.synthesis.corruption.choice import choose
    from regraft.synthesis.corruption.shards import Corrupt, Survey

    corpus = ctx.input("docs")
    shards = {path.stem: path for path in tables.shards(corpus.path, tables.DOCUMENTS_FOLDER)}
    size = num_documents(corpus)
    surveyed = each(Survey(config.kinds, config.seed), shards, ctx, "survey", num_documents=size)
    found = {name: piece.counts["documents"] for name, piece in surveyed.items()}
    choice = choose(found, config.rate, config.incorruptible == "replace")
    items = {name: (path, choice.kinds[name]) for name, path in shards.items()}
    done = each(Corrupt(config.kinds, config.seed), items, ctx, "corrupt", num_documents=size)
    return {**collect(done, ctx, "corrupt", size), **_figures(choice, size)}


def _figures(choice: "Choice", size: int) -> Metrics:
    made = sum(map(len, choice.kinds.values()))
    return {"wanted": choice.wanted, "not_corruptible": choice.passed_over, "corrupted_share": made / max(size, 1)}
