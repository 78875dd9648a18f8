"""Load models and tokenizers from Transformers folders: safetensors only, no pickle, no code from the folder.

Tokenizers are those of the `tokenizers` library, read from `tokenizer.json`: fast, without Transformers, and equal in
every process. Text is never read as a control token: `<|endoftext|>` written in a web page becomes ordinary pieces.
"""

import logging
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from regraft.core import ConfigError, RegraftError

PICKLES = (".bin", ".pt", ".pth", ".ckpt")
"""Endings of weights that are pickled."""

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_model(folder: Path, *, device: str = "cpu") -> "PreTrainedModel":
    """Return the causal language model of a Transformers folder in fp32, in evaluation mode, on `device`.

    Raises:
        ConfigError: no such folder, no `config.json`, or no safetensors in it.
        RegraftError: the architecture needs code of its own, or the weights do not fit it.
    """
    from transformers import AutoModelForCausalLM

    return _loaded(AutoModelForCausalLM, folder, device)


def load_encoder(folder: Path, *, device: str = "cpu") -> "PreTrainedModel":
    """Return the model of a Transformers folder without its head, as `load_model` does; it may lack a pooler."""
    from transformers import AutoModel

    return _loaded(AutoModel, folder, device, dispensable="pooler")


def _loaded(kind: Any, folder: Path, device: str, dispensable: str = "") -> Any:
    import torch

    check_model_folder(folder)
    with quiet_transformers():
        try:
            model, info = kind.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise RegraftError(f"The model in {folder} cannot be loaded: {error}") from error
    absent = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))
    if needed := [name for name in absent if not dispensable or dispensable not in name]:
        raise RegraftError(f"The weights in {folder} lack {len(needed)} tensors of the model, such as {needed[:3]}.")
    return model.to(device).eval()


def load_tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer of a Transformers folder, without truncation, padding or control tokens read from text.

    `encode(text, add_special_tokens=False).ids` gives the tokens of the text alone.

    Raises:
        ConfigError: the folder has no `tokenizer.json`.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ConfigError(f"{folder} has no tokenizer.json. Save the tokenizer as a fast one (`save_pretrained`).")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def token_id(tokenizer: Tokenizer, name: str) -> int | None:
    """Return the id of the token named `name`, None for the empty name.

    Raises:
        ConfigError: the vocabulary has no such token.
    """
    if not name:
        return None
    found = tokenizer.token_to_id(name)
    if found is None:
        raise ConfigError(f"The tokenizer has no token {name!r}. Name one of its vocabulary, or none with ''.")
    return found


def context_length(model: "PreTrainedModel") -> int:
    """Return how many tokens the model was made to see at once."""
    return int(model.config.get_text_config().max_position_embeddings)


def check_model_folder(folder: Path, found: Iterable[str] = ()) -> None:
    """Return if the folder looks like a Transformers folder with safe weights.

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


@contextmanager
def quiet_transformers() -> Generator[None]:
    """Inside the block Transformers shows no progress bars and logs errors only; afterwards all is as before."""
    from transformers.utils import logging as transformers_logging

    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
