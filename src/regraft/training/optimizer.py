"""AdamW over two groups: matrices with weight decay, vectors (norms, biases) and what is trained in part without."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regraft.core import ConfigError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamW:
    """Source: betas (0.9, 0.95) and gradient clip 1.0 [N]; weight decay 0 in the released launch script [C]."""

    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    """Not in the paper."""
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    """Largest norm of the whole gradient; a larger one is scaled down to it."""

    def __post_init__(self) -> None:
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise ConfigError(f"betas {self.beta1}, {self.beta2}: give numbers from 0 to below 1.")
        if self.clip_norm <= 0 or self.weight_decay < 0 or self.epsilon <= 0:
            raise ConfigError("clip_norm and epsilon must be positive, weight_decay not negative.")


def build_optimizer(config: AdamW, model: "torch.nn.Module") -> "torch.optim.AdamW":
    """Return the optimizer over every trainable parameter of `model`; its learning rate is set at each step.

    From here on frozen rows of a parameter have no gradient; for their sake none of its rows decays.
    """
    import torch

    from regraft.training.frozen_rows import frozen_rows, hold_rows

    held = frozen_rows(model)
    for parameter, count in held.items():
        hold_rows(parameter, count)
    parameters = [p for p in model.parameters() if p.requires_grad]
    decays = {p: p.ndim >= 2 and p not in held for p in parameters}
    groups = [
        {"params": [p for p in parameters if decays[p]], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if not decays[p]], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=0.0,
        betas=(config.beta1, config.beta2),
        eps=config.epsilon,
        fused=True,
    )


def clip(model: "torch.nn.Module", norm: float) -> float:
    """Scale the gradient of `model` down to `norm` if it is longer; return how long it was, the same on every rank."""
    import torch
    from torch.distributed.tensor import DTensor

    total = torch.nn.utils.clip_grad_norm_(model.parameters(), norm)
    return float(total.full_tensor() if isinstance(total, DTensor) else total)


def take_step(optimizer: "torch.optim.Optimizer", learning_rate: float) -> None:
    """Move the parameters by their gradients at this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
