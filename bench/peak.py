"""The fastest matrix product of this machine, in FLOP per second of processor time; prints it by precision, as JSON."""

import json
import time

import torch

SIDE = 2048
SECONDS = 3.0


def peak(dtype: torch.dtype) -> float:
    """Return the most FLOP a processor second of any product of two square matrices."""
    a, b = torch.randn(SIDE, SIDE).to(dtype), torch.randn(SIDE, SIDE).to(dtype)
    best, until = 0.0, time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        start = time.process_time()
        a @ b
        best = max(best, 2 * SIDE**3 / (time.process_time() - start))
    return best


if __name__ == "__main__":
    print(json.dumps({str(dtype)[6:]: peak(dtype) for dtype in (torch.float32, torch.bfloat16)}))
