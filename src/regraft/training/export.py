"""Write a trained model as a Transformers folder that any other tool opens."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel

from regraft.lm.folder import copy_code
from regraft.lm.load import quiet_transformers

COPIED = (
    "tokenizer*",
    "special_tokens_map.json",
    "chat_template*",
    "vocab*",
    "merges.txt",
    "added_tokens.json",
    "LICENSE*",
    "NOTICE*",
)
"""What a trained model takes over from the model that training began with."""
GENERATION = "generation_config.json"


def export_model(model: PreTrainedModel, origin: Path, target: Path, weights: Mapping[str, Tensor]) -> None:
    """Write a model to the folder `target`: safetensors in fp32, config, and what it takes over from `origin`.

    Args:
        model: says what the config is, which weights are tied, and what is saved beside parameters.
        origin: folder of the model that training began with; its tokenizer, licence and code are copied as they are.
        target: must have a parent.
        weights: parameters by name, a tied one under any of its names.
    """
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    buffers = {name: tensor for name, tensor in model.state_dict().items() if name not in parameters}
    tied = model.all_tied_weights_keys
    state = {name: tensor for name, tensor in (buffers | dict(weights)).items() if tied.get(name) not in weights}
    generation = model.generation_config
    model.generation_config = GenerationConfig.from_model_config(model.config)  # the other may be one that none saves
    try:
        with quiet_transformers():
            model.save_pretrained(target, state_dict=state)
    finally:
        model.generation_config = generation
    for pattern in (*COPIED, GENERATION):
        for file in sorted(origin.glob(pattern)):
            shutil.copyfile(file, target / file.name)
    copy_code(origin, target)
