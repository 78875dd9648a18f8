"""The estimate against the resident size of a real training, in a process of its own."""

import os
import subprocess
import sys
import textwrap

import pytest

from regraft.lm.architecture import read_architecture
from regraft.lm.tiny import TinyConfig, write_tiny
from regraft.training.estimates.memory import memory_of
from regraft.training.estimates.setup import Setup

SCRIPT = """
    import sys
    from pathlib import Path
    import torch
    from transformers.models.llama import modeling_llama  # its code is no part of what is measured
    from regraft.core.provenance import peak_memory_bytes, reset_peak_memory
    from regraft.lm.load import load_model
    from regraft.lm.loss import sequence_loss
    from regraft.training.optimizer import AdamW, build_optimizer

    torch.set_num_threads(1)
    before = peak_memory_bytes()
    model = load_model(Path(sys.argv[1])).train()
    optimizer = build_optimizer(AdamW(), model)
    ids = torch.randint(100, (4, 512))
    positions = torch.arange(256).repeat(2).expand(4, 512).contiguous()
    for step in range(2):
        for batch in range(2):
            with torch.autocast("cpu", torch.bfloat16, enabled=sys.argv[2] == "bfloat16"):
                loss = sequence_loss(model, ids, positions, ids)
            loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    print(peak_memory_bytes() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_takes_the_memory_that_is_estimated(tmp_path, precision):
    folder = tmp_path / "model"
    write_tiny(folder, TinyConfig(vocab_size=8192, num_layers=6, hidden_size=384, num_heads=6))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder), precision],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": str(2**20)},
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    setup = Setup(sequence_length=512, sequences_per_batch=4, sequences_per_step=8, precision=precision)
    estimated = memory_of(read_architecture(folder), setup, 0).total
    assert estimated == pytest.approx(int(done.stdout), rel=0.15)
