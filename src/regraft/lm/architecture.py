"""What a model costs before it is there: parameters and floating-point operations, from its config alone.

The model is built on the meta device, where tensors have shapes and no memory; an 8 B model takes a second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regraft.core import ConfigError, RegraftError
from regraft.lm.load import quiet_transformers

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

CONFIGS = Path(__file__).parent / "configs"
"""Published configs of models that are named in the method: facts of their makers, no weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The sizes of a decoder-only model. Counts are of parameters; a tied weight counts once."""

    name: str
    """Class of the model."""
    num_layers: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    vocab_size: int
    context: int
    """Tokens that it was made to see at once."""
    tied: bool
    """Whether the head is the input embedding."""
    parameters: int
    trainable_parameters: int
    embedding_parameters: int
    """Of the input embedding and others that are looked up, of positions for instance."""
    layer_parameters: int
    """Of the largest decoder layer."""
    active_parameters: int
    """That one token is multiplied with: all but the embedding lookup, and of experts those that it is routed to."""
    mlp_width: int
    """Widths of a layer's MLP matrices that one token passes, summed: 3 x intermediate size in a gated one."""

    @property
    def attention_width(self) -> int:
        """Query heads side by side."""
        return self.num_heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Key heads side by side, the value heads alike."""
        return self.num_kv_heads * self.head_dim

    def forward_flops(self, sequence_length: int, *, causal: bool = False) -> float:
        """Return the operations of one token's forward pass, a multiplication and an addition being two.

        2 N + 4 L a S, with N active parameters, L layers, a query heads x head size and S tokens of a sequence.

        Args:
            sequence_length: tokens that attend to each other.
            causal: count only the half of the attention matrix that a causal mask leaves.

        Source: Kaplan et al. 2001.08361, section 2.1, for 2 N without the embedding lookup (which multiplies nothing);
        Chowdhery et al. 2204.02311 (PaLM), appendix B, for attention, which it counts in full: so does regraft wherever
        it says MFU, and packed short documents need less.
        """
        attention = 4 * self.num_layers * self.attention_width * sequence_length
        return 2 * self.active_parameters + attention / (2 if causal else 1)

    def backward_flops(self, sequence_length: int, *, causal: bool = False) -> float:
        """Return the operations of one token's backward pass, twice those of the forward pass if all is trainable.

        Gradients of activations cost as much as the forward pass, gradients of weights as much as the products with
        the trainable ones; where the first layers are frozen it is less than this.
        """
        frozen = self.parameters - self.trainable_parameters
        return 2 * self.forward_flops(sequence_length, causal=causal) - 2 * min(frozen, self.active_parameters)

    def training_flops(self, sequence_length: int, *, causal: bool = False) -> float:
        """Return the operations of training on one token: 6 N + 12 L a S when all is trainable, as PaLM counts.

        Recomputed activations are no part of it.
        """
        return self.forward_flops(sequence_length, causal=causal) + self.backward_flops(sequence_length, causal=causal)


def read_architecture(model: str | Path, trainable: Callable[[str], bool] = lambda name: True) -> Architecture:
    """Return the architecture of a Transformers folder, or of a published config by its name, such as `llama-3-8b`.

    Args:
        model: folder with a `config.json`; no weights are needed.
        trainable: whether the parameter of a name is trained.

    Raises:
        ConfigError: neither a folder with a config nor a published one.
        RegraftError: Transformers does not know the architecture.
    """
    from transformers import AutoConfig

    published = CONFIGS / f"{model}.json"
    path = published if published.is_file() else Path(model) / "config.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in CONFIGS.glob("*.json")))
        raise ConfigError(f"{model} is neither a folder with a config.json nor one of the published configs: {known}.")
    try:
        config: Any = AutoConfig.from_pretrained(path, trust_remote_code=False, local_files_only=True)
        return architecture_of(_on_meta(config), trainable)
    except (OSError, ValueError) as error:
        raise RegraftError(f"The config {path} cannot be read: {error}") from error


def architecture_of(model: "PreTrainedModel", trainable: Callable[[str], bool] = lambda name: True) -> Architecture:
    """Return the architecture of a model, which may be on the meta device.

    Raises:
        ConfigError: it has no repeated decoder layers, or no output embedding.
    """
    text: Any = model.config.get_text_config()
    head: Any = model.get_output_embeddings()
    if head is None:
        raise ConfigError(f"{type(model).__name__} has no output embedding; regraft needs a causal language model.")
    named = list(model.named_parameters())  # a tied weight once
    layers = decoder_layers(model)
    heads, hidden = int(text.num_attention_heads), int(text.hidden_size)
    kv_heads = int(getattr(text, "num_key_value_heads", None) or heads)
    head_dim = int(getattr(text, "head_dim", None) or hidden // heads)
    attention = 2 * hidden * head_dim * (heads + kv_heads)
    parameters, idle, looked_up = sum(p.numel() for _, p in named), _idle_experts(model), _embeddings(model)
    in_layers = sum(p.numel() for p in layers.parameters() if p.ndim >= 2) - idle
    return Architecture(
        name=type(model).__name__,
        num_layers=len(layers),
        hidden_size=hidden,
        num_heads=heads,
        num_kv_heads=kv_heads,
        head_dim=head_dim,
        vocab_size=int(text.vocab_size),
        context=int(text.max_position_embeddings),
        tied=any(p is head.weight for p in looked_up),
        parameters=parameters,
        trainable_parameters=sum(p.numel() for name, p in named if trainable(name)),
        embedding_parameters=sum(p.numel() for p in looked_up),
        layer_parameters=max(sum(p.numel() for p in layer.parameters()) for layer in layers),
        active_parameters=parameters - idle - sum(p.numel() for p in looked_up if p is not head.weight),
        mlp_width=max(0, round((in_layers / len(layers) - attention) / hidden)),
    )


def decoder_layers(model: "PreTrainedModel") -> "torch.nn.ModuleList":
    """Return the repeated layers of a decoder: of the lists of modules as long as its config says, the largest.

    Raises:
        ConfigError: the model has none.
    """
    import torch

    length = model.config.get_text_config().num_hidden_layers
    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList) and len(module) == length]
    if not lists:
        raise ConfigError(f"{type(model).__name__} has no list of {length} decoder layers.")
    return max(lists, key=lambda found: sum(p.numel() for p in found.parameters()))


def _on_meta(config: Any) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"), quiet_transformers():
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False)


def _embeddings(model: "PreTrainedModel") -> "list[torch.Tensor]":
    import torch

    return [module.weight for module in model.modules() if isinstance(module, torch.nn.Embedding)]


def _idle_experts(model: "PreTrainedModel") -> int:
    """Return how many parameters of experts one token is not routed to; their weights are stacked, expert first."""
    text: Any = model.config.get_text_config()
    names = ("num_local_experts", "num_experts", "n_routed_experts")
    experts = next((getattr(text, name) for name in names if getattr(text, name, None)), 0)
    used = getattr(text, "num_experts_per_tok", None)
    if not experts or not used:
        return 0
    stacked = sum(p.numel() for p in model.parameters() if p.ndim == 3 and p.shape[0] == experts)
    return stacked - stacked * used // experts
