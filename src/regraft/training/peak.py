"""How fast this machine multiplies matrices: what MFU is a share of where no peak is published."""

import time
from typing import Literal

import torch

SIZE = 2_048
"""Rows and columns. Not in the paper."""
SECONDS = 1.0


def measured_peak(precision: Literal["float32", "bfloat16"], device: str = "cpu") -> float:
    """Return operations a second of the fastest of some square matrix products, measured in about a second.

    A machine that does other work at the same time gives less than its peak, and then MFU too large.
    """
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a, b = (torch.ones(SIZE, SIZE, dtype=dtype, device=device) for _ in range(2))
    _product_seconds(a, b)  # the first one chooses a kernel
    fastest, until = float("inf"), time.monotonic() + SECONDS
    while fastest == float("inf") or time.monotonic() < until:
        fastest = min(fastest, _product_seconds(a, b))
    return 2 * SIZE**3 / fastest


def _product_seconds(a: torch.Tensor, b: torch.Tensor) -> float:
    _wait(a.device)
    started = time.perf_counter()
    torch.mm(a, b)
    _wait(a.device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
