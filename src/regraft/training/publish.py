"""`regraft export`: a checkpoint of the store as a Transformers folder of its own, with model card and data card."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from regraft.core import Artifact, ConfigError, Kind, Store

if TYPE_CHECKING:
    import torch

INDEX = "model.safetensors.index.json"


def export(
    target: str,
    folder: Path,
    *,
    dtype: Literal["float32", "bfloat16"] = "float32",
    store: Path = Path("store"),
) -> int:
    """Copy a model out of the store: a Transformers folder with tokenizer, model card and data card.

    Parameters
    ----------
    target
        A step of the recipe (`train/bilingual`), or an artifact or its beginning.
    folder
        Where to write it; must not exist yet.
    dtype
        Of the weights.
    store
        Directory of artifacts.
    """
    found = Store(store)
    artifact = found.resolve(target)
    export_artifact(found, artifact, folder, dtype)
    print(f"{artifact.id} ({artifact.manifest.step}) in {dtype}: {folder}")
    return 0


def export_artifact(store: Store, artifact: Artifact, target: Path, dtype: str = "float32") -> None:
    """Write the model of a checkpoint to the folder `target`, which appears when it is complete.

    The same artifact gives the same bytes. Logits of fp32 weights are those of the artifact.

    Raises:
        ConfigError: the artifact is no checkpoint, or `target` exists already.
    """
    from regraft.training.cards.data import DATA_CARD, data_card
    from regraft.training.cards.model import MODEL_CARD, model_card

    if artifact.manifest.kind is not Kind.CHECKPOINT:
        raise ConfigError(f"{artifact.id} is no model but of the kind {artifact.manifest.kind}; name a training.")
    if target.exists():
        raise ConfigError(f"{target} exists already. Name a new folder, or remove that one.")
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _copy_model(artifact.file("model"), part, dtype)
    (part / MODEL_CARD).write_text(model_card(store, artifact, dtype), "utf-8")
    (part / DATA_CARD).write_text(data_card(store, artifact), "utf-8")
    part.rename(target)


def _copy_model(source: Path, target: Path, dtype: str) -> None:
    num_bytes = 0
    for file in sorted(path for path in source.iterdir() if path.is_file()):
        if file.suffix == ".safetensors":
            num_bytes += _copy_weights(file, target / file.name, dtype)
        else:
            shutil.copyfile(file, target / file.name)
    _edit(target / "config.json", dtype=dtype)
    if (target / INDEX).exists():
        metadata: dict[str, Any] = json.loads((target / INDEX).read_text("utf-8")).get("metadata", {})
        _edit(target / INDEX, metadata=metadata | {"total_size": num_bytes})


def _copy_weights(file: Path, target: Path, dtype: str) -> int:
    """Write the tensors of a file with those of floating point as `dtype`; return how many bytes they take."""
    import torch
    from safetensors.torch import load_file, save_file

    wanted = getattr(torch, dtype)
    tensors = {name: _as(tensor, wanted) for name, tensor in load_file(file).items()}
    save_file(tensors, target, {"format": "pt"})
    return sum(tensor.nbytes for tensor in tensors.values())


def _as(tensor: "torch.Tensor", dtype: "torch.dtype") -> "torch.Tensor":
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _edit(file: Path, **fields: Any) -> None:
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    content.pop("torch_dtype", None)  # what `dtype` was called
    file.write_text(json.dumps(content | fields, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
