"""What a Transformers folder has to be before it is opened: a decoder-only model, with weights that run no code.

A model may bring Python code of its own. It is run only if it was allowed by name when the model was imported: the
names and hashes of the allowed files stand in `allowed_code.json` beside the folder, where no download writes.
"""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from regraft.core import ConfigError, sha256_of

PICKLES = (".bin", ".pt", ".pth", ".ckpt")
"""Endings of weights that are pickled."""
ALLOWED_CODE = "allowed_code.json"
WEIGHTS_INDEX = "model.safetensors.index.json"


def check_model_folder(folder: Path, found: Iterable[str] = ()) -> None:
    """Return if the folder looks like a Transformers folder with safe weights, no shard of them missing.

    Args:
        folder: where the model should be.
        found: names that lay at its origin, to say what it has instead of safetensors; by default those of the folder.

    Raises:
        ConfigError: it does not; the message says what is missing.
    """
    if not (folder / "config.json").is_file():
        raise ConfigError(f"{folder} is no Transformers folder: it has no config.json.")
    if not any(folder.glob("*.safetensors")):
        names = [*found] or [path.name for path in folder.iterdir()]
        pickles = sorted(name for name in names if name.endswith(PICKLES))
        instead = f"only {pickles}: pickles can run code when opened" if pickles else "no weights"
        raise ConfigError(f"{folder} must hold its weights as *.safetensors; it holds {instead}.")
    if (folder / WEIGHTS_INDEX).is_file():
        named = set(_json(folder / WEIGHTS_INDEX).get("weight_map", {}).values())
        if missing := sorted(name for name in named if not (folder / name).is_file()):
            raise ConfigError(f"{folder} lacks {missing}, which its {WEIGHTS_INDEX} names. Copy the model again.")


def check_trainable(folder: Path) -> None:
    """Return if the folder holds a decoder-only language model with plain weights.

    Raises:
        ConfigError: an encoder, an encoder-decoder, a model without head, or quantised weights; named in the message.
    """
    config = _json(folder / "config.json")
    names: list[str] = config.get("architectures") or []
    name = f"{', '.join(names) or 'the model'} ({config.get('model_type', 'no model_type')}) in {folder}"
    if config.get("is_encoder_decoder"):
        raise ConfigError(f"{name} is an encoder-decoder; regraft trains and scores decoder-only language models.")
    if "quantization_config" in config:
        raise ConfigError(f"{name} has quantised weights; give the model as it was before, in bf16 or fp32.")
    if names and "AutoModelForCausalLM" not in own_classes(config) and not _causal(names):
        raise ConfigError(f"{name} is no causal language model; give a decoder-only one with its head (…ForCausalLM).")


def runs_own_code(folder: Path) -> bool:
    """Return whether the model in the folder is opened with code of its own, all of which was allowed by name.

    A model whose architecture Transformers knows is opened by Transformers unless its code was allowed.

    Raises:
        ConfigError: it needs code that was not allowed, was changed since, or lies in another repository.
    """
    config = _json(folder / "config.json")
    needed = _code_files(own_classes(config))
    allowed = folder.parent / ALLOWED_CODE
    if not needed or (not allowed.is_file() and _known(config)):
        return False
    sums = _json(allowed) if allowed.is_file() else {}
    refused = sorted(name for name in {*needed, *sums} if name not in sums or sums[name] != _sha256(folder / name))
    if refused:
        raise ConfigError(
            f"{folder} brings code of its own: {refused}, and regraft runs none that was not allowed by name. Read it, "
            f"and if you trust it import the model with allow_code={tuple(refused)} (BackboneConfig)."
        )
    return True


def allow_code(names: Sequence[str], folder: Path) -> None:
    """Write beside a model folder which of its files may be run, with their hashes; nothing for no names.

    Raises:
        ConfigError: the folder holds no such file.
    """
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise ConfigError(f"allow_code names {missing}, which the model does not hold.")
    if names:
        sums = {name: sha256_of(folder / name) for name in sorted(names)}
        (folder.parent / ALLOWED_CODE).write_text(json.dumps(sums, indent=1) + "\n", "utf-8")


def copy_code(origin: Path, target: Path) -> None:
    """Copy the code that a model folder may run, and that it may, to another folder of the same model."""
    allowed = origin.parent / ALLOWED_CODE
    if not allowed.is_file():
        return
    for name in _json(allowed):
        shutil.copyfile(origin / name, target / name)
    shutil.copyfile(allowed, target.parent / ALLOWED_CODE)


def own_classes(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the classes in code of its own by which a model wants to be opened: auto class -> `file.Class`."""
    given = config.get("auto_map") or {}
    return {auto: name for auto, name in given.items() if auto in ("AutoConfig", "AutoModelForCausalLM", "AutoModel")}


def _code_files(classes: Mapping[str, str]) -> set[str]:
    """Return the names of the files; one in another repository is named as such, so that no file has that name."""
    return {f"{name.rpartition('.')[0]}.py" for name in classes.values()}


def _known(config: Mapping[str, Any]) -> bool:
    from transformers import CONFIG_MAPPING

    return config.get("model_type") in CONFIG_MAPPING


def _causal(names: Iterable[str]) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return not set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()).isdisjoint(names)


def _sha256(path: Path) -> str:
    return sha256_of(path) if path.is_file() else ""


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read as JSON: {error}") from error
