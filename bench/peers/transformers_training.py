"""The Trainer of Transformers on rows of tokens, with the settings of `bench.training`."""

import json

import torch
from arguments import arguments
from trainer_marks import MarkSteps
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments, default_data_collator
from transformers.trainer_utils import set_seed


def main() -> None:
    given = arguments(__doc__)
    set_seed(0)
    rows = json.loads((given.passages / "rows.json").read_text("utf-8"))[: given.steps * given.rows]
    noted = MarkSteps()
    settings = TrainingArguments(
        output_dir=str(given.work),
        max_steps=given.steps,
        per_device_train_batch_size=given.rows,
        learning_rate=given.rate,
        lr_scheduler_type="constant",
        optim="adamw_torch_fused",
        adam_beta1=0.9,
        adam_beta2=0.95,
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=given.precision == "bfloat16",
        torch_compile=given.compile,
        train_sampling_strategy="sequential",
        use_cpu=True,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    Trainer(
        model=AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32),
        args=settings,
        train_dataset=[{"input_ids": row, "labels": row} for row in rows],
        data_collator=default_data_collator,
        callbacks=[noted],
    ).train()
    noted.marks.write(given.out)


if __name__ == "__main__":
    main()
