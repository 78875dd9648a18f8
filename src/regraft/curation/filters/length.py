"""Documents of too few tokens to learn from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from regraft.core import ConfigError, RawFiles, SourceFile
from regraft.corpus.document import Document, Reject
from regraft.curation.filters.bounds import too_low
from regraft.curation.filters.view import View

if TYPE_CHECKING:
    from tokenizers import Tokenizer

READ = 32
"""Characters a token that are looked at first: the beginning of a long document shows that it is no short one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MinTokens:
    """Drops documents of fewer than `min_tokens` tokens.

    Give the `tokenizer.json` of the model, as Transformers saves it: `RawFiles(root="model/tokenizer.json")`. It
    enters by content, so another tokenizer is another corpus. Without one, tokens are estimated from bytes.

    Source: the default is that of the paper's code and of its successor, which drops documents of fewer than 20
    (paper_facts 1.3, [C] and [Y]).
    """

    min_tokens: int = 20
    tokenizer: RawFiles | None = None
    bytes_per_token: float = 4.0
    """UTF-8 bytes, where there is no tokenizer. Source: not in the paper."""

    def __post_init__(self) -> None:
        if self.min_tokens < 1 or self.bytes_per_token <= 0:
            raise ConfigError(f"MinTokens needs min_tokens >= 1 and bytes_per_token > 0: {self}.")

    def opened(self, located: Mapping[SourceFile, Path]) -> "CountedTokens | EstimatedTokens":
        """Return the filter that counts, or estimates.

        Raises:
            ConfigError: `tokenizer` is not one file, or none of the `tokenizers` library.
        """
        if self.tokenizer is None:
            return EstimatedTokens(self.min_tokens, self.bytes_per_token)
        path = only(self.tokenizer, located, "MinTokens.tokenizer")
        try:
            _tokenizer(path)
        except Exception as error:  # the library raises nothing more special
            raise ConfigError(f"{path.name} is no tokenizer of the `tokenizers` library: {error}") from error
        return CountedTokens(self.min_tokens, path)


@dataclass(frozen=True, slots=True)
class EstimatedTokens:
    """Takes so many bytes for a token."""

    min_tokens: int
    bytes_per_token: float

    def check(self, document: Document, view: View) -> Document | Reject:
        tokens = len(view.text.encode()) / self.bytes_per_token
        found = f"about {tokens:.0f} tokens"
        return too_low("num_tokens", found, self.min_tokens) if tokens < self.min_tokens else document


@dataclass(frozen=True, slots=True)
class CountedTokens:
    """Counts with a tokenizer, without special tokens."""

    min_tokens: int
    path: Path

    def check(self, document: Document, view: View) -> Document | Reject:
        beginning = view.text[: READ * self.min_tokens]
        if len(beginning) < len(view.text) and self._count(beginning) > self.min_tokens:
            return document
        tokens = self._count(view.text)
        return too_low("num_tokens", f"{tokens} tokens", self.min_tokens) if tokens < self.min_tokens else document

    def _count(self, text: str) -> int:
        return len(_tokenizer(self.path).encode(text, add_special_tokens=False).ids)


def only(files: RawFiles, located: Mapping[SourceFile, Path], what: str) -> Path:
    """Return where the one file lies.

    Raises:
        ConfigError: there are more.
    """
    if len(files.files) != 1:
        raise ConfigError(f"{what} has {len(files.files)} files; name one.")
    return located[files.files[0]]


@cache
def _tokenizer(path: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True  # as in `tokenize`: "<|endoftext|>" inside a document is text
    return tokenizer
