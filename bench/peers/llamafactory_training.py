"""LLaMA-Factory's pre-training stage on rows of tokens: its own tokenizing, by an older Transformers, cuts otherwise.

It imports torchaudio, of which there is no CPU build that fits; it does nothing with it here, so an empty module does.
"""

import json
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

from arguments import arguments

STUB = ModuleType("torchaudio")
STUB.__spec__ = ModuleSpec("torchaudio", None)
sys.modules.setdefault("torchaudio", STUB)

from datasets import Dataset, DatasetDict  # noqa: E402
from llamafactory.train.tuner import run_exp  # noqa: E402
from trainer_marks import MarkSteps  # noqa: E402


def main() -> None:
    given = arguments(__doc__)
    noted = MarkSteps()
    rows = json.loads((given.passages / "rows.json").read_text("utf-8"))[: given.steps * given.rows]
    columns = {"input_ids": rows, "attention_mask": [[1] * len(row) for row in rows], "labels": rows}
    DatasetDict(train=Dataset.from_dict(columns)).save_to_disk(given.work / "rows")
    settings = {
        "model_name_or_path": str(given.model),
        "stage": "pt",
        "do_train": True,
        "finetuning_type": "full",
        "tokenized_path": str(given.work / "rows"),
        "dataset": "passages",
        "template": "empty",
        "cutoff_len": 512,
        "packing": True,
        "disable_shuffling": True,
        "output_dir": str(given.work / "out"),
        "per_device_train_batch_size": given.rows,
        "gradient_accumulation_steps": 1,
        "max_steps": given.steps,
        "learning_rate": given.rate,
        "lr_scheduler_type": "constant",
        "optim": "adamw_torch_fused",
        "adam_beta1": 0.9,
        "adam_beta2": 0.95,
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "bf16": given.precision == "bfloat16",
        "use_cpu": True,
        "torch_compile": given.compile,
        "disable_gradient_checkpointing": True,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    run_exp(settings, callbacks=[noted])
    noted.marks.write(given.out)


if __name__ == "__main__":
    main()
