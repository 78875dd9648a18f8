"""Memory that a loss adds at the vocabulary of Llama 3, forward and backward: regraft's against all logits at once.

python -m bench.loss_memory --rounds 3 --cores 0
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench.results import Result, Table
from bench.rounds import run
from bench.training_sides import ENVIRONMENT

CLAIM = "Memory that the loss adds at a vocabulary of 128,256: at most a quarter of that of all logits at once."
VOCABULARY, HIDDEN, ROWS, LENGTH = 128_256, 512, 4, 512
SIDES = ("all logits", "regraft")
PRECISIONS = ("float32", "bfloat16")


def measure(side: str, precision: str) -> dict[str, float]:
    """Return bytes added at most, processor seconds and the loss of one forward and backward pass."""
    import torch

    from regraft.core.provenance import peak_memory_bytes, reset_peak_memory

    torch.manual_seed(0)
    loss = _losses(side)
    ids = torch.randint(VOCABULARY, (ROWS, LENGTH))
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        loss(ids[:1, :16]).backward()  # what is loaded once does not count, nor gradients, which stay
        reset_peak_memory()
        before, cpu = peak_memory_bytes(), time.process_time()
        found = loss(ids)
        found.backward()
    return {"bytes": peak_memory_bytes() - before, "cpu": time.process_time() - cpu, "loss": float(found.detach())}


def _losses(side: str) -> Callable[[Any], Any]:
    """Return the mean loss of rows of tokens, by one side."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from regraft.lm.loss import IGNORED, CausalLoss

    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=HIDDEN,
        num_hidden_layers=1,
        num_attention_heads=8,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    if side == "all logits":
        return lambda ids: model(input_ids=ids, labels=ids, use_cache=False).loss
    objective = CausalLoss(model)

    def chunked(ids: torch.Tensor) -> torch.Tensor:
        labels = torch.nn.functional.pad(ids[:, 1:], (0, 1), value=IGNORED)
        positions = torch.arange(ids.shape[1]).expand_as(ids)
        return objective(ids, positions, labels) / (ids.shape[0] * (ids.shape[1] - 1))

    return chunked


def main() -> None:
    given = _arguments()
    if given.side:
        print(json.dumps(measure(given.side, given.precision)))
        return
    given.work.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(given.rounds):
        for precision in PRECISIONS:
            for side in SIDES:
                log = given.work / "run.log"
                command = [sys.executable, "-m", "bench.loss_memory", "--side", side, "--precision", precision]
                run(command, [int(given.cores)], log, ENVIRONMENT)
                found.setdefault((precision, side), []).append(json.loads(log.read_text("utf-8").splitlines()[-1]))
                print(precision, side, found[precision, side][-1], flush=True)
    _result(given, found).write(given.results)


def _result(given: argparse.Namespace, found: dict[tuple[str, str], list[dict[str, float]]]) -> Result:
    rows: list[list[object]] = []
    shares: dict[str, float] = {}
    for (precision, side), runs in found.items():
        ratios = {
            what: median(a[what] / b[what] for a, b in zip(runs, found[precision, SIDES[0]], strict=True))
            for what in ("bytes", "cpu")
        }
        shares[precision] = ratios["bytes"]  # ours is the last
        size, seconds = (median(r[what] for r in runs) for what in ("bytes", "cpu"))
        rows.append([precision, side, size / 2**20, ratios["bytes"], seconds, ratios["cpu"], f"{runs[-1]['loss']:.5f}"])
    header = ("", "", "MiB added", "times all logits", "processor seconds", "times all logits", "loss")
    return Result(
        name="loss_memory",
        claim=CLAIM,
        verdict=", ".join(f"{share:.2f} of all logits in {precision}" for precision, share in shares.items()) + ".",
        corpus={"tokens": ROWS * LENGTH},
        settings={"rounds": given.rounds, "vocabulary": VOCABULARY, "hidden size": HIDDEN, "threads": 1},
        tables=[Table(title="One forward and backward pass", header=header, rows=rows)],
        notes=(
            "A model of one small layer, head tied to the embedding; all logits at once is what Transformers does with "
            "`labels`. The gradients of the model are there before, in either case.",
            "The gradient of the head, 250 MiB in fp32, has to be added to that of the embedding and is in both.",
        ),
        pythons=(Path(sys.executable),),
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=SIDES, help="measure this one only, in this process")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--work", type=Path, default=Path("bench/.work/loss_memory"))
    parser.add_argument("--results", type=Path, default=Path("bench/results"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", default="0", help="the processor to run on")
    return parser.parse_args()


if __name__ == "__main__":
    main()
