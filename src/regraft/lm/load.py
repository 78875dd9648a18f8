"""Load models and tokenizers from Transformers folders: safetensors only, no pickle, no code that was not allowed.

Tokenizers are those of the `tokenizers` library, read from `tokenizer.json`: fast, without Transformers, and equal in
every process. Text is never read as a control token: `<|endoftext|>` written in a web page becomes ordinary pieces.
"""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from regraft.core import ConfigError, RegraftError
from regraft.lm.folder import check_model_folder, check_trainable, runs_own_code

NO_LIMIT = 2**31
"""Context of an architecture that names none."""

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_model(folder: Path, *, device: str = "cpu") -> "PreTrainedModel":
    """Return the causal language model of a Transformers folder in fp32, in evaluation mode, on `device`.

    A head that is tied to the input embedding stays tied.

    Raises:
        ConfigError: no such folder, no `config.json`, no safetensors or not all of them, no decoder-only model, or
            code of its own that was not allowed.
        RegraftError: Transformers does not know the architecture, or the weights do not fit it.
    """
    from transformers import AutoModelForCausalLM

    check_model_folder(folder)
    check_trainable(folder)
    return _loaded(AutoModelForCausalLM, folder, device)


def load_encoder(folder: Path, *, device: str = "cpu") -> "PreTrainedModel":
    """Return the model of a Transformers folder without its head, as `load_model` does; it may lack a pooler."""
    from transformers import AutoModel

    check_model_folder(folder)
    return _loaded(AutoModel, folder, device, dispensable="pooler")


def _loaded(kind: Any, folder: Path, device: str, dispensable: str = "") -> Any:
    import torch
    from safetensors import SafetensorError

    own_code = runs_own_code(folder)
    with quiet_transformers():
        try:
            model, info = kind.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=own_code,
                local_files_only=True,
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
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
    """Return how many tokens the model was made to see at once, `NO_LIMIT` where its config does not say."""
    return context_of(model.config)


def context_of(config: Any) -> int:
    """Return how many tokens a model with this Transformers config was made to see at once."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", None) or NO_LIMIT)


def check_sequence_length(model: "PreTrainedModel", length: int) -> None:
    """Return if the model was made for sequences of `length` tokens.

    Raises:
        ConfigError: it was made for shorter ones.
    """
    context = context_length(model)
    if length > context:
        raise ConfigError(
            f"sequence_length is {length:,}, but {type(model).__name__} was made for {context:,} tokens "
            "(max_position_embeddings). Train on shorter sequences, or on a model whose context was extended first."
        )


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
