"""Whose tokens they are: a tokenizer by its content, and what token artifacts of one training have in common."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regraft.core import ConfigError

if TYPE_CHECKING:
    from regraft.corpus.tokens import TokenForm

DECISIVE = ("normalizer", "pre_tokenizer", "model", "added_tokens")
"""Parts of `tokenizer.json` that decide which ids a text gets; the rest is about padding, templates and decoding."""


def tokenizer_sha256(path: Path) -> str:
    """Return the SHA-256 of what decides ids in a `tokenizer.json`: equal for files that differ in form only."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    decisive = {name: content.get(name) for name in DECISIVE}
    text = json.dumps(decisive, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_tokenizer(form: "TokenForm", model: Path, place: str = "the token artifact") -> None:
    """Return if the tokens of an artifact are those of the model in a Transformers folder.

    The model may have more embeddings than its tokenizer has tokens: they are padded.

    Raises:
        ConfigError: they were made by another tokenizer, or the model has no embedding for one of them.
    """
    found = tokenizer_sha256(model / "tokenizer.json")
    if form.tokenizer_sha256 != found:
        raise ConfigError(
            f"{place} holds another tokenizer's tokens: {form.tokenizer_sha256[:12]}, but {model} has {found[:12]}. "
            "Tokenize the corpus with this model."
        )
    config = json.loads((model / "config.json").read_text("utf-8"))
    rows = config.get("vocab_size") or (config.get("text_config") or {}).get("vocab_size")
    if rows and form.largest_token >= rows:
        raise ConfigError(
            f"{place} holds the token {form.largest_token}, but {model} has embeddings for 0 to {rows - 1} only. Give "
            "a model whose vocabulary covers its tokenizer."
        )


def check_ends(forms: Sequence[tuple[str, "TokenForm"]]) -> None:
    """Return if named token artifacts all begin and end their documents alike.

    Raises:
        ConfigError: two of them do not.
    """
    policies = {(form.begin, form.end): name for name, form in forms}
    if len(policies) > 1:
        told = "; ".join(f"{name}: begin {begin}, end {end}" for (begin, end), name in policies.items())
        raise ConfigError(
            f"Documents begin and end with different tokens ({told}). Tokenize all of them with the same begin_token "
            "and end_token."
        )
