"""litgpt's pre-training on rows of tokens, continued from the same weights.

It shifts the labels itself, so a row of 512 tokens is 511 that go in and 511 that are predicted. It always compiles the
whole model; without `--compile`, torch is told not to.
"""

import csv
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from arguments import arguments

GIVEN = arguments(__doc__)
if not GIVEN.compile:
    os.environ["TORCHDYNAMO_DISABLE"] = "1"

import torch  # noqa: E402
from litgpt.args import EvalArgs, TrainArgs  # noqa: E402
from litgpt.config import Config  # noqa: E402
from litgpt.data import DataModule  # noqa: E402
from litgpt.pretrain import setup  # noqa: E402
from litgpt.scripts.convert_hf_checkpoint import copy_weights_hf_llama  # noqa: E402
from marks import Marks  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402

MARKS = Marks()


class FusedAdamW(torch.optim.AdamW):
    """AdamW of torch, fused: litgpt turns that off on a CPU unless the class does not know the word."""

    def __init__(self, params: Any, **settings: Any) -> None:
        super().__init__(params, fused=True, **settings)


class Rows(Dataset):
    """Rows of tokens; notes a step when the first row of the next one is asked for."""

    def __init__(self, rows: list[list[int]], per_step: int = 0) -> None:
        self.rows, self.per_step = rows, per_step

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> torch.Tensor:
        if self.per_step and number and number % self.per_step == 0:
            MARKS.step_ends()
        return torch.tensor(self.rows[number])


class Passages(DataModule):
    """The rows of the benchmark, in their order."""

    def connect(self, tokenizer: Any = None, batch_size: int = 1, max_seq_length: int | None = None, **_: Any) -> None:
        """Nothing to connect."""

    def train_dataloader(self) -> DataLoader:
        """Return the rows, and one batch more: to ask for it ends the last step."""
        rows = _rows()
        return DataLoader(Rows(rows[: (GIVEN.steps + 1) * GIVEN.rows], GIVEN.rows), batch_size=GIVEN.rows)

    def val_dataloader(self) -> DataLoader:
        """Return one batch, for what litgpt calls verifying settings."""
        return DataLoader(Rows(_rows()[: GIVEN.rows]), batch_size=GIVEN.rows)


def _rows() -> list[list[int]]:
    return json.loads((GIVEN.passages / "rows.json").read_text("utf-8"))


def convert(model: Path, target: Path) -> Config:
    """Write the weights of a Transformers Llama as litgpt reads them and return its config."""
    theirs = json.loads((model / "config.json").read_text("utf-8"))
    config = Config(
        name=model.name,
        block_size=theirs["max_position_embeddings"],
        vocab_size=theirs["vocab_size"],
        padded_vocab_size=theirs["vocab_size"],
        n_layer=theirs["num_hidden_layers"],
        n_head=theirs["num_attention_heads"],
        n_query_groups=theirs["num_key_value_heads"],
        n_embd=theirs["hidden_size"],
        intermediate_size=theirs["intermediate_size"],
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=False,
        norm_class_name="RMSNorm",
        mlp_class_name="LLaMAMLP",
        rope_base=int(theirs["rope_parameters"]["rope_theta"]),
        norm_eps=theirs["rms_norm_eps"],
    )
    weights: dict[str, torch.Tensor] = {}
    copy_weights_hf_llama(config, {}, weights, load_file(model / "model.safetensors"))
    target.mkdir(parents=True)
    torch.save(weights, target / "lit_model.pth")
    return config


def main() -> None:
    config = convert(GIVEN.model, GIVEN.work / "converted")
    sys.argv = [sys.argv[0], config.name]  # litgpt reads it once more, when it saves
    setup(
        model_name=config.name,
        model_config=config,
        out_dir=GIVEN.work / "out",
        precision="bf16-mixed" if GIVEN.precision == "bfloat16" else "32-true",
        initial_checkpoint_dir=GIVEN.work / "converted",
        data=Passages(),
        train=TrainArgs(
            save_interval=None,
            log_interval=1,
            global_batch_size=GIVEN.rows,
            micro_batch_size=GIVEN.rows,
            max_tokens=GIVEN.steps * GIVEN.rows * 511,
            max_seq_length=511,
            max_norm=1.0,
            min_lr=GIVEN.rate,
            lr_warmup_steps=0,
            tie_embeddings=True,
        ),
        eval=EvalArgs(interval=10**9, max_iters=1, final_validation=False),
        optimizer={
            "class_path": "__main__.FusedAdamW",
            "init_args": {"lr": GIVEN.rate, "betas": [0.9, 0.95], "weight_decay": 0.0},
        },
        devices=1,
        logger_name="csv",
    )
    (logged,) = (GIVEN.work / "out").rglob("metrics.csv")
    with logged.open(encoding="utf-8") as file:
        MARKS.losses = [float(row["loss"]) for row in csv.DictReader(file)]
    MARKS.write(GIVEN.out)
    shutil.rmtree(GIVEN.work / "out" / "final", ignore_errors=True)


if __name__ == "__main__":
    main()
