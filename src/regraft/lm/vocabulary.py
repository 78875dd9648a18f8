"""New tokens for a byte-level BPE tokenizer, learnt from text by going on where its own merges end.

New merges stand behind all old ones. So a text is first split as ever, and then neighbours are joined further: a new
token is a row of old ones, its bytes are theirs, and text in which no new merge applies is split as before.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, trainers

from regraft.core import ConfigError
from regraft.lm.load import load_tokenizer

LETTERS = 0x10000
"""Code point that stands for the token 0 while tokens are learnt: above all surrogates, room for a million tokens."""
BATCH = 256
"""Texts that are encoded at once."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that joins two others, by its old pieces."""

    left: tuple[int, ...]
    right: tuple[int, ...]

    @property
    def pieces(self) -> tuple[int, ...]:
        """Return the old tokens that it stands for."""
        return self.left + self.right


def check_byte_level(folder: Path) -> None:
    """Return if the tokenizer of a Transformers folder is a byte-level BPE, which gives back every text exactly.

    Raises:
        ConfigError: it is of another kind.
    """
    form = _form(folder)
    if form["model"].get("type") != "BPE" or '"ByteLevel"' not in json.dumps(form["pre_tokenizer"]):
        raise ConfigError(f"The tokenizer of {folder} is no byte-level BPE; its vocabulary cannot be extended.")


def learn_tokens(
    tokenizer: Tokenizer, texts: Sequence[str], *, num_tokens: int, min_count: int, max_pieces: int
) -> list[NewToken]:
    """Return at most so many new tokens, in the order of their merges: the most frequent pair of neighbours each time.

    Args:
        tokenizer: the old one, `load_tokenizer`'s. Nothing is joined across what it splits text into beforehand.
        texts: of the languages that the tokens are for.
        num_tokens: to learn.
        min_count: of a pair, to become a token.
        max_pieces: old tokens that a new one stands for, at most.
    """
    size = vocabulary_end(tokenizer)
    learner = Tokenizer(models.BPE())  # old tokens are its letters
    trainer = trainers.BpeTrainer(
        vocab_size=size + num_tokens,
        min_frequency=min_count,
        max_token_length=max_pieces,
        initial_alphabet=[chr(LETTERS + token) for token in range(size)],
        show_progress=False,
    )
    learner.train_from_iterator(_words(tokenizer, texts), trainer)
    merges: list[tuple[str, str]] = json.loads(learner.to_str())["model"]["merges"]
    return [NewToken(_tokens(left), _tokens(right)) for left, right in merges]


def extend(folder: Path, new: Sequence[NewToken]) -> tuple[dict[str, Any], dict[int, tuple[int, ...]]]:
    """Return the form (`tokenizer.json`) of a tokenizer with new tokens, and the old pieces of each by its id.

    Ids go on behind the last that is taken. A token whose bytes an old one has already is left out, and so are those
    that are built on it: it could make old merges apply that did not.
    """
    form = _form(folder)
    names = {id_: name for name, id_ in load_tokenizer(folder).get_vocab(with_added_tokens=True).items()}
    # Added tokens get the ids behind the model's vocabulary when a tokenizer is opened, unless they stand in it.
    vocabulary: dict[str, int] = form["model"]["vocab"]
    vocabulary |= {token["content"]: token["id"] for token in form["added_tokens"]}
    old, next_id = set(vocabulary), max(names) + 1
    pieces: dict[int, tuple[int, ...]] = {}
    for token in without(new, {t.pieces for t in new if _name(t.pieces, names) in old}):
        left, right, name = (_name(part, names) for part in (token.left, token.right, token.pieces))
        form["model"]["merges"].append([left, right] if _pairs(form) else f"{left} {right}")
        if name not in vocabulary:  # the same bytes may be joined in several ways
            vocabulary[name] = next_id + len(pieces)
            pieces[vocabulary[name]] = token.pieces
    return form, pieces


def without(new: Sequence[NewToken], dropped: set[tuple[int, ...]]) -> list[NewToken]:
    """Return the tokens that are not dropped (by their pieces) nor built on one that is, in their order."""
    gone = set(dropped)
    kept: list[NewToken] = []
    for token in new:
        if gone & {token.pieces, token.left, token.right}:
            gone.add(token.pieces)
        else:
            kept.append(token)
    return kept


def opened(form: Mapping[str, Any]) -> Tokenizer:
    """Return the tokenizer of a form, as `load_tokenizer` would."""
    tokenizer = Tokenizer.from_str(json.dumps(form))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[list[int]]:
    """Yield the tokens of each text."""
    for start in range(0, len(texts), BATCH):
        found = tokenizer.encode_batch_fast(texts[start : start + BATCH], add_special_tokens=False)
        yield from (encoding.ids for encoding in found)


def vocabulary_end(tokenizer: Tokenizer) -> int:
    """Return the id behind the last token."""
    return max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1


def unlike_before(
    form: Mapping[str, Any], pieces: Mapping[int, tuple[int, ...]], texts: Sequence[str]
) -> set[tuple[int, ...]]:
    """Return the new tokens, by their pieces, that stand in texts which should be split as before."""
    found = set(chain.from_iterable(encoded(opened(form), texts)))
    return {pieces[token] for token in found & pieces.keys()}


def _words(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield for some texts at a time what no token reaches across, each written in letters."""
    for start in range(0, len(texts), BATCH):
        words: list[str] = []
        for encoding in tokenizer.encode_batch(texts[start : start + BATCH], add_special_tokens=False):
            for _, part in groupby(zip(encoding.word_ids, encoding.ids, strict=True), key=itemgetter(0)):
                words.append("".join(chr(LETTERS + token) for _, token in part))
        yield words


def _tokens(letters: str) -> tuple[int, ...]:
    return tuple(ord(letter) - LETTERS for letter in letters)


def _name(pieces: Iterable[int], names: Mapping[int, str]) -> str:
    return "".join(names[piece] for piece in pieces)


def _pairs(form: Mapping[str, Any]) -> bool:
    """Return whether merges are written as pairs, as newer tokenizers do."""
    merges = form["model"]["merges"]
    return not merges or not isinstance(merges[0], str)


def _form(folder: Path) -> dict[str, Any]:
    load_tokenizer(folder)
    return json.loads((folder / "tokenizer.json").read_text("utf-8"))
