"""Bring a model into a Transformers folder of safetensors: from GGUF, from files, from the hub."""

import fnmatch
import shutil
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, GgufConfig

from regraft.core import ArtifactError, Metrics, RegraftError, sha256_of
from regraft.lm.backbone import WANTED
from regraft.lm.folder import allow_code, check_model_folder, runs_own_code
from regraft.lm.load import context_of, load_tokenizer, quiet_transformers


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


def copy_model(files: Mapping[str, Path], target: Path, code: Sequence[str] = ()) -> None:
    """Copy the files of a model, by name, leaving behind all that is neither config, safetensors nor tokenizer.

    Args:
        files: name -> where it lies; all in one folder.
        target: must not exist yet.
        code: names of Python files that are copied too and may be run.

    Raises:
        ConfigError: they hold no config, no safetensors or no fast tokenizer, or the model needs other code.
    """
    target.mkdir()
    for name, path in files.items():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in (*WANTED, *code)):
            shutil.copyfile(path, target / name)
    beside = {other.name for path in files.values() for other in path.parent.iterdir()}
    check_model_folder(target, found=beside)
    allow_code(code, target)
    load_tokenizer(target)


def download_model(name: str, revision: str, cache: Path, code: Sequence[str] = ()) -> Path:
    """Return the folder of a hub model in the cache, fetched if it is not there, with the Python files in `code`.

    Raises:
        RegraftError: the hub cannot be reached, or has no such model or revision.
    """
    try:
        return Path(snapshot_download(name, revision=revision, cache_dir=cache, allow_patterns=[*WANTED, *code]))
    except Exception as error:  # the hub's client raises errors of several libraries
        raise RegraftError(
            f"{name}@{revision} cannot be fetched from the hub ({type(error).__name__}: {error}). Check the name, the "
            "revision and the connection, or give a local `folder`."
        ) from error


def describe_model(folder: Path) -> Metrics:
    """Return architecture, parameters, vocabulary and context length; no weights are read.

    Raises:
        RegraftError: Transformers does not know the architecture.
    """
    own_code = runs_own_code(folder)
    try:
        config: Any = AutoConfig.from_pretrained(folder, trust_remote_code=own_code, local_files_only=True)
        auto: Any = (
            AutoModelForCausalLM if own_code or type(config) in AutoModelForCausalLM._model_mapping else AutoModel
        )
        with torch.device("meta"):
            model: Any = auto.from_config(config, trust_remote_code=own_code)
    except (OSError, ValueError, KeyError) as error:
        raise RegraftError(f"The config of the model in {folder} cannot be used: {error}") from error
    return {
        "architecture": type(model).__name__,
        "parameters": model.num_parameters(),
        "vocabulary": config.get_text_config().vocab_size,
        "context": context_of(config),
    }
