"""Bring a model into a Transformers folder of safetensors: from GGUF, from files, from the hub."""

import fnmatch
import shutil
from collections.abc import Mapping
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig

from regraft.core import ArtifactError, Metrics, RegraftError, sha256_of
from regraft.lm.load import check_model_folder, load_tokenizer, quiet_transformers

WANTED = (
    "config.json",
    "generation_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "LICENSE*",
    "NOTICE*",
)
"""What a model folder is made of; pickled weights and code are left behind."""


def import_gguf(path: Path, sha256: str, target: Path) -> None:
    """Write a GGUF model as fp32 safetensors with its tokenizer.

    Raises:
        ArtifactError: the file has another hash than `sha256`.
        RegraftError: Transformers cannot read it.
    """
    if sha256 and (found := sha256_of(path)) != sha256:
        raise ArtifactError(f"{path} has the SHA-256 {found}, not {sha256}. It is damaged or another version.")
    with quiet_transformers(), redirect_stderr(StringIO()):  # its progress bar obeys no setting
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
            # Without `dequantize` Transformers 5 loads fp32 weights all the same, but refuses to save them.
            model: Any = AutoModelForCausalLM.from_pretrained(
                path.parent,
                gguf_file=path.name,
                dtype=torch.float32,
                quantization_config=GgufConfig(dequantize=True),
            )
        except (OSError, ValueError, KeyError) as error:
            raise RegraftError(f"The GGUF file {path} cannot be read: {error}") from error
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)


def copy_model(files: Mapping[str, Path], target: Path) -> None:
    """Copy the files of a model, by name, leaving behind all that is neither config, safetensors nor tokenizer.

    Raises:
        ConfigError: they hold no config, no safetensors or no fast tokenizer.
    """
    target.mkdir()
    for name, path in files.items():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in WANTED):
            shutil.copyfile(path, target / name)
    check_model_folder(target, found=files)
    load_tokenizer(target)


def download_model(name: str, revision: str, cache: Path) -> Path:
    """Return the folder of a hub model in the cache, fetched if it is not there.

    Raises:
        RegraftError: the hub cannot be reached, or has no such model or revision.
    """
    try:
        return Path(snapshot_download(name, revision=revision, cache_dir=cache, allow_patterns=list(WANTED)))
    except Exception as error:  # the hub's client raises errors of several libraries
        raise RegraftError(
            f"{name}@{revision} cannot be fetched from the hub ({type(error).__name__}: {error}). Check the name, the "
            "revision and the connection, or give a local `folder`."
        ) from error


def describe_model(folder: Path) -> Metrics:
    """Return architecture, parameters, vocabulary and context length; no weights are read."""
    config: Any = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    text = config.get_text_config()
    return {
        "architecture": type(model).__name__,
        "parameters": model.num_parameters(),
        "vocabulary": text.vocab_size,
        "context": text.max_position_embeddings,
    }
