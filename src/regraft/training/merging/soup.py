"""The weighted mean of models on disk, tensor by tensor, for models larger than memory."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from regraft.core import RegraftError
from regraft.lm.backbone import WANTED
from regraft.lm.folder import WEIGHTS_INDEX, check_model_folder, copy_code, runs_own_code

SHARD_BYTES = 1 << 30
"""Of a file of weights, at most; it is put together in memory."""
INCIDENTAL = ("dtype", "torch_dtype", "transformers_version", "use_cache")
"""Fields of a config that say nothing about what the weights mean."""


def write_soup(folders: Sequence[Path], weights: Sequence[float], target: Path, dtype: str) -> int:
    """Write the sum of `weights[i]` times model `i` as a Transformers folder; return its number of parameters.

    Sums are in float64, in the order given; the result is rounded once, to `dtype`. Config, tokenizer and the like are
    those of the last folder.

    Raises:
        RegraftError: the models differ in config, tokenizer, names or shapes of tensors; the message says in what.
    """
    check_alike(folders)
    tied = tied_names(folders[-1])
    with ExitStack() as stack:
        models = [StoredTensors(folder, stack, leave_out=tied) for folder in folders]
        _check_tensors(models)
        copy_description(folders[-1], target)
        _say_dtype(target, dtype)
        return _write_shards(models, weights, target, getattr(torch, dtype))


class StoredTensors:
    """The tensors of a Transformers folder, opened one by one."""

    def __init__(self, folder: Path, stack: ExitStack, leave_out: Iterable[str] = ()) -> None:
        check_model_folder(folder)
        self.folder = folder
        self._files: dict[str, Any] = {}
        for path in _weight_files(folder):
            file = stack.enter_context(safe_open(path, framework="pt"))
            self._files |= dict.fromkeys(file.keys(), file)
        for name in leave_out:
            self._files.pop(name, None)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each tensor, in the order of their names."""
        return {name: tuple(self._files[name].get_slice(name).get_shape()) for name in sorted(self._files)}

    def __getitem__(self, name: str) -> Tensor:
        return self._files[name].get_tensor(name)


def check_alike(folders: Sequence[Path]) -> None:
    """Return if the models have one config and one tokenizer, apart from what is incidental.

    Raises:
        RegraftError: they have not; the message names the fields.
    """
    first = folders[0]
    for other in folders[1:]:
        for what, read in (("config.json", _meaning), ("tokenizer.json", _tokenizer)):
            if differs := _differing(read(first), read(other)):
                raise RegraftError(f"{what} of {first} and {other} differ in {differs}; they cannot be merged.")


def tied_names(folder: Path) -> set[str]:
    """Return the names of parameters of a model that are other parameters; no weights are read."""
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(_config(folder), trust_remote_code=runs_own_code(folder))
    every = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    return every - {name for name, _ in model.named_parameters()}


def _weight_files(folder: Path) -> list[Path]:
    if not (folder / WEIGHTS_INDEX).is_file():
        return sorted(folder.glob("*.safetensors"))
    names = set(json.loads((folder / WEIGHTS_INDEX).read_text("utf-8"))["weight_map"].values())
    return [folder / name for name in sorted(names)]


def _check_tensors(models: Sequence[StoredTensors]) -> None:
    first, expected = models[0].folder, models[0].shapes()
    for model in models[1:]:
        if differs := _differing(expected, model.shapes()):
            raise RegraftError(f"Tensors of {first} and {model.folder} differ: {differs}; they cannot be merged.")


def _write_shards(models: Sequence[StoredTensors], weights: Sequence[float], target: Path, dtype: torch.dtype) -> int:
    shapes = models[0].shapes()
    layout = split_torch_state_dict_into_shards(
        {name: torch.empty(shape, dtype=dtype, device="meta") for name, shape in shapes.items()},
        max_shard_size=SHARD_BYTES,
    )
    for file, names in layout.filename_to_tensors.items():
        tensors = {name: _mean([model[name] for model in models], weights, dtype) for name in names}
        save_file(tensors, target / file, metadata={"format": "pt"})
    if layout.is_sharded:
        index = {"metadata": layout.metadata, "weight_map": layout.tensor_to_filename}
        (target / WEIGHTS_INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", "utf-8")
    return sum(torch.Size(shape).numel() for shape in shapes.values())


def _mean(tensors: Sequence[Tensor], weights: Sequence[float], dtype: torch.dtype) -> Tensor:
    total = torch.zeros(tensors[0].shape, dtype=torch.float64)
    for tensor, weight in zip(tensors, weights, strict=True):
        total.add_(tensor.to(torch.float64, copy=True).mul_(weight))  # `add_(alpha=)` rounds as the processor does
    return total.to(dtype)


def copy_description(origin: Path, target: Path) -> None:
    """Make the folder `target` with all of a Transformers folder that is not weights."""
    target.mkdir(parents=True)
    for pattern in (pattern for pattern in WANTED if "safetensors" not in pattern):
        for file in sorted(origin.glob(pattern)):
            shutil.copyfile(file, target / file.name)
    copy_code(origin, target)


def _say_dtype(folder: Path, dtype: str) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config.pop("torch_dtype", None)  # its name in older versions
    path.write_text(json.dumps(config | {"dtype": dtype}, indent=2, sort_keys=True) + "\n", "utf-8")


def _config(folder: Path) -> Any:
    return AutoConfig.from_pretrained(folder, trust_remote_code=runs_own_code(folder), local_files_only=True)


def _meaning(folder: Path) -> dict[str, Any]:
    """Return a config with all its defaults, so that one that leaves them out is the same."""
    config: dict[str, Any] = _config(folder).to_dict()
    return {name: value for name, value in config.items() if name[0] != "_" and name not in INCIDENTAL}


def _tokenizer(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return {name: value for name, value in tokenizer.items() if name not in ("truncation", "padding")}


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return the names under which two mappings differ, with their values where these are short."""
    names = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    told = [f"{name} ({_brief(one.get(name))} and {_brief(other.get(name))})" for name in names[:3]]
    return ", ".join(told) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
