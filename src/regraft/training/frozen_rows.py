"""Rows of a parameter that stay as they are, bit for bit, while those after them are trained.

What `requires_grad` says of a whole parameter, a mark on the module says of its first rows: unlike a hook it is still
there once FSDP2 has put parameters of its own in place of the given ones.
"""

import torch
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor

MARK = "num_frozen_rows"


def freeze_rows(module: nn.Module, count: int) -> None:
    """Mark the first `count` rows of every parameter of `module` itself as those that are not trained."""
    setattr(module, MARK, count)


def frozen_rows(model: nn.Module) -> dict[nn.Parameter, int]:
    """Return how many of its first rows are marked, of each trained parameter that has any; a tied one once."""
    return {
        parameter: count
        for module in model.modules()
        if (count := int(getattr(module, MARK, 0)))
        for parameter in module.parameters(recurse=False)
        if parameter.requires_grad
    }


def hold_rows(parameter: nn.Parameter, count: int) -> None:
    """From here on the first `count` rows of the gradient of `parameter`, which is in its final layout, are zero.

    An optimizer without weight decay leaves these rows as they are, since their moments stay zero; and they have no
    part in the norm of the gradient.
    """
    here = _in_this_process(parameter, count)

    def zero(parameter: torch.Tensor) -> None:
        gradient = parameter.grad
        assert gradient is not None
        local = gradient.to_local() if isinstance(gradient, DTensor) else gradient
        local[:here].zero_()

    parameter.register_post_accumulate_grad_hook(zero)


def _in_this_process(parameter: nn.Parameter, count: int) -> int:
    """Return how many of the first `count` rows lie in this process, where they are the first again."""
    is_held = torch.arange(len(parameter), device=parameter.device) < count
    if isinstance(parameter, DTensor):
        is_held = distribute_tensor(is_held, parameter.device_mesh, parameter.placements).to_local()
    return int(is_held.sum())
