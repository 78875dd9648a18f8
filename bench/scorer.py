"""Our side of `bench.scoring`, or with `--peak` what the machine's matrix products reach; prints figures as JSON."""

import argparse
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from regraft.lm.load import load_model
from regraft.lm.loss import document_losses

SECONDS = 0.5
"""Of trying each matrix product."""
TOKENS = (128, 512, 2048)
SHAPES = ((576, 576), (576, 1536), (1536, 576))
"""(inputs, outputs) of the layers of SmolLM2-135M."""


def peak(dtype: torch.dtype) -> float:
    """Return the most FLOP a second, on all threads, of any product like those of the model."""
    best = 0.0
    for tokens in TOKENS:
        for inputs, outputs in SHAPES:
            x, weight = torch.randn(tokens, inputs, dtype=dtype), torch.randn(outputs, inputs, dtype=dtype)
            until = time.perf_counter() + SECONDS
            while time.perf_counter() < until:
                start = time.perf_counter()
                F.linear(x, weight)
                best = max(best, 2 * tokens * inputs * outputs / (time.perf_counter() - start))
    return best


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=Path, help="JSON: a list of lists of token ids")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--peak", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.peak:
        print(json.dumps({str(dtype)[6:]: peak(dtype) for dtype in (torch.float32, torch.bfloat16)}))
        raise SystemExit
    documents = json.loads(given.documents.read_text("utf-8"))
    model = load_model(given.model)
    document_losses(model, [documents[0][:64]], precision=given.precision)  # warm
    start, cpu = time.perf_counter(), time.process_time()
    found = document_losses(model, documents, batch_tokens=4096, precision=given.precision)
    print(json.dumps({
        "seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu, "losses": found,
        "parameters": model.num_parameters(),
    }))  # fmt: skip
