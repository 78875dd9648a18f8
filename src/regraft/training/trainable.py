"""Which parameters a training changes: all, those of some names, embeddings of new tokens, or low-rank additions."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from regraft.core import ConfigError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedModel

ADAPTER = "default"
"""The name that peft gives to an adapter."""
BASE, LORA_A, LORA_B = ".base_layer.", f".lora_A.{ADAPTER}.weight", f".lora_B.{ADAPTER}.weight"


class Trainable(Protocol):
    """Chooses what is trained, and turns weights in training into those of the model that is exported."""

    def prepare(self, model: "PreTrainedModel") -> None:
        """Freeze, and add, parameters of `model` in place; it stays of its class and computes what it did.

        Called once, before the model is laid out over processes and before the optimizer is made.

        Raises:
            ConfigError: a pattern matches nothing that can be trained.
        """
        ...

    def merged(self, weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """Return the weights of a plain model, given those of a prepared one by name; `weights` stay as they are."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class All:
    """Every parameter is trained. Source: the paper [N][C]."""

    def prepare(self, model: "PreTrainedModel") -> None:
        pass

    def merged(self, weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        return dict(weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """Parameters of some names are trained, the others frozen. Not in the paper.

    `("*embed_tokens*", "*lm_head*")` warms up all embeddings, those of old tokens too. A tied weight has two names, and
    is trained if one of them matches.
    """

    patterns: tuple[str, ...]
    """Of names of parameters, such as `model.layers.0.mlp.up_proj.weight`; `*` stands for anything."""

    def __post_init__(self) -> None:
        if not self.patterns:
            raise ConfigError("patterns is empty: nothing would be trained.")

    def prepare(self, model: "PreTrainedModel") -> None:
        parameters = dict(model.named_parameters(remove_duplicate=False))
        chosen = {id(parameters[name]) for name in _matching(self.patterns, parameters, "parameters")}
        for parameter in model.parameters():
            parameter.requires_grad_(id(parameter) in chosen)

    def merged(self, weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        return dict(weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTokens:
    """The embeddings of new tokens are trained, input and output; all else stays as it is, bit for bit.

    The warm-up after an extension of the vocabulary. Nothing decays, whatever the optimizer's `weight_decay` is. Not in
    the paper.
    """

    first: int
    """Id of the first new token: the size of the vocabulary before its extension, without rows that pad."""

    def __post_init__(self) -> None:
        if self.first < 1:
            raise ConfigError(f"first is {self.first}; the tokens before it are old, and there is at least one.")

    def prepare(self, model: "PreTrainedModel") -> None:
        from regraft.training.frozen_rows import freeze_rows

        embeddings: list[Any] = [model.get_input_embeddings(), model.get_output_embeddings()]
        rows = len(embeddings[0].weight)
        if self.first >= rows:
            raise ConfigError(f"first is {self.first}, but the model has embeddings for 0 to {rows - 1} only.")
        model.requires_grad_(False)
        for embedding in embeddings:
            embedding.requires_grad_(True)
            freeze_rows(embedding, self.first)

    def merged(self, weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        return dict(weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Low-rank additions B A alpha/rank to some linear layers are trained, all else is frozen.

    Source: arXiv:2106.09685; not in the paper, which trains all parameters. The defaults are ours.
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    """Share of the inputs of an addition that is set to zero in training."""
    targets: tuple[str, ...] = ("*_proj",)
    """Patterns of names of linear layers."""
    seed: int = 0
    """Of A; B begins with zeros."""

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1 or not self.targets:
            raise ConfigError(
                f"{self}: rank must be at least 1, alpha positive, dropout from 0 to below 1, and targets not empty."
            )

    def prepare(self, model: "PreTrainedModel") -> None:
        import torch
        from peft import LoraConfig, inject_adapter_in_model

        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # pyright: ignore[reportArgumentType]  # any number
            lora_dropout=self.dropout,
            target_modules=self._target_names(model),
        )
        with torch.random.fork_rng(devices=[]):  # new weights are drawn on the CPU
            torch.manual_seed(self.seed)
            inject_adapter_in_model(config, model, adapter_name=ADAPTER)

    def merged(self, weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        plain = {name.replace(BASE, "."): w for name, w in weights.items() if ".lora_" not in name}
        for name in (name for name in weights if name.endswith(LORA_A)):
            layer = name.removesuffix(LORA_A)
            a, b = weights[name], weights[layer + LORA_B]  # (rank, in), (out, rank)
            plain[f"{layer}.weight"] = plain[f"{layer}.weight"] + (b @ a) * (self.alpha / self.rank)
        return plain

    def _target_names(self, model: "PreTrainedModel") -> list[str]:
        """Return the names of the layers; the output embedding is none of them, since the loss reads its weight."""
        from torch import nn

        head = model.get_output_embeddings()
        layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear) and m is not head}
        return _matching(self.targets, layers, "linear layers")


def parameter_counts(model: "Module") -> dict[str, int]:
    """Return how many parameters are trained and how many are frozen, a tied one counted once."""
    from regraft.training.frozen_rows import frozen_rows

    held = sum(p.numel() // len(p) * count for p, count in frozen_rows(model).items())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad) - held
    return {"trained_parameters": trained, "frozen_parameters": sum(p.numel() for p in model.parameters()) - trained}


def _matching(patterns: Sequence[str], names: Iterable[str], what: str) -> list[str]:
    """Return the names that match any of the patterns.

    Raises:
        ConfigError: a pattern matches none.
    """
    known = list(names)
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in known):
            raise ConfigError(f"{pattern!r} matches none of the {len(known)} {what}, such as {known[:3]}.")
    return [name for name in known if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
