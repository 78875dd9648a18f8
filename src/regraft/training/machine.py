"""What this machine is and can do, to judge a training's speed by."""

import platform

import torch

from regraft.core.provenance import peak_memory_bytes
from regraft.lm.architecture import Architecture
from regraft.lm.loss import Precision
from regraft.training.estimates.accelerators import recognise
from regraft.training.peak import measured_peak
from regraft.training.throughput import Machine


def this_machine(
    architecture: Architecture, sequence_length: int, device: torch.device, num_ranks: int, precision: Precision
) -> Machine:
    """Return the machine of this process; its peak is the published one for bf16 where it is known, else measured.

    Measuring takes a second, on a machine that should do nothing else. Call it before the training is timed.
    """
    name, known = _device_name(device), None
    if device.type == "cuda" and precision == "bfloat16":
        known = recognise(name)
    return Machine(
        device=name,
        num_ranks=num_ranks,
        peak_flops=known.peak_flops if known else measured_peak(precision, str(device)),
        peak_source=known.source if known else f"{precision} matrix products measured before the training",
        flops_per_token=architecture.training_flops(sequence_length),
        peak_memory_bytes=peak_memory(device),
    )


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that this process had at once: resident, on an accelerator as tensors."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_memory_bytes()


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
