"""How many threads Torch computes with."""

from collections.abc import Generator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(number: int) -> Generator[None]:
    """Inside the block Torch computes one operation with `number` threads; afterwards as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
