"""Write a trained model as a Transformers folder that any other tool opens."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from transformers import PreTrainedModel

from regraft.lm.load import quiet_transformers

TOKENIZER_FILES = (
    "tokenizer*",
    "special_tokens_map.json",
    "chat_template*",
    "vocab*",
    "merges.txt",
    "added_tokens.json",
)


def export_model(model: PreTrainedModel, origin: Path, target: Path, weights: Mapping[str, Tensor]) -> None:
    """Write `weights` (safetensors, fp32) and config of `model` to `target`, with the tokenizer files of `origin`."""
    with quiet_transformers():
        model.save_pretrained(target, state_dict=dict(weights))
    for pattern in TOKENIZER_FILES:
        for file in sorted(origin.glob(pattern)):
            shutil.copyfile(file, target / file.name)
