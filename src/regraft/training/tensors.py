"""The tensors of a training by name: what a checkpoint holds, whatever layout they have in the processes."""

import torch

from regraft.training.averaging import WeightAverage
from regraft.training.checkpoint import Tensors
from regraft.training.parallel import Ranks, whole

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def training_tensors(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, average: WeightAverage | None = None
) -> Tensors:
    """Return parameters, optimizer state and mean weights without copying them; a tied weight once.

    Names are those of the parameters, so that DDP, FSDP2 and a single process read each other's checkpoints.
    """
    tensors = {f"model/{name}": parameter.detach() for name, parameter in model.named_parameters()}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            state = _state(optimizer, parameter)
            tensors |= {f"optimizer/{name}/{key}": state[key].detach() for key in MOMENTS}
    if average:
        tensors |= {f"average/{name}": tensor for name, tensor in average.state_dict().items()}
    return tensors


def _state(optimizer: torch.optim.Optimizer, parameter: torch.nn.Parameter) -> dict[str, torch.Tensor]:
    """Return the AdamW state of a parameter, as its first step would begin with, if it has taken none."""
    state = optimizer.state[parameter]
    if not state:
        state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
        state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
    return state


def whole_weights(model: torch.nn.Module, ranks: Ranks) -> dict[str, torch.Tensor]:
    """Return the weights on the CPU of the first process, a tied one under each of its names; others get nothing.

    Every process calls this: they put the parts together, one tensor at a time.
    """
    weights: dict[str, torch.Tensor] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        tensor = whole(parameter.detach())
        if ranks.first:
            weights[name] = tensor.cpu()
    return weights
