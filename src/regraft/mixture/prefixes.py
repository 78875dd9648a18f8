"""The scored start of a document, or the whole of it, as tokens and as bytes."""

from dataclasses import dataclass

from tokenizers import Encoding, Tokenizer

from regraft.lm.load import token_id

CHARACTERS = 16
"""Of a text that are tokenized for each token wanted, at first; hardly any text needs as many."""
MARGIN = 512
"""Tokens beyond those wanted that a cut text must have, since the last ones may be others in the whole text."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """Token ids of which all but the first are scored, and the bytes of text that the scored ones stand for."""

    ids: list[int]
    num_bytes: int

    @property
    def num_scored(self) -> int:
        return max(len(self.ids) - 1, 0)


def prefix_of(text: str, tokenizer: Tokenizer, begin_token: str, max_tokens: int) -> Prefix:
    """Return the first `max_tokens` tokens of `text`, or all for 0, after the begin token if there is one.

    Bytes are counted in the text itself. A character that the cut falls into counts whole.
    """
    begin = token_id(tokenizer, begin_token)
    encoding = _start(text, tokenizer, max_tokens) if max_tokens else tokenizer.encode(text, add_special_tokens=False)
    last = max_tokens or len(encoding)
    ids, spans = encoding.ids[:last], encoding.offsets[:last]
    if begin is not None:
        ids, spans = [begin, *ids], [(0, 0), *spans]
    scored = text[spans[0][1] : spans[-1][1]] if spans else ""
    return Prefix(ids, len(scored.encode()))


def _start(text: str, tokenizer: Tokenizer, max_tokens: int) -> Encoding:
    """Return an encoding whose first `max_tokens` tokens are those of the text, without reading a long text whole."""
    size = CHARACTERS * (max_tokens + MARGIN)
    while size < len(text):
        encoding = tokenizer.encode(text[:size], add_special_tokens=False)
        if len(encoding) >= max_tokens + MARGIN:
            return encoding
        size *= 4
    return tokenizer.encode(text, add_special_tokens=False)
