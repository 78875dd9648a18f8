"""The scored start of a document, or the whole of it, as tokens and as bytes."""

from dataclasses import dataclass

from tokenizers import Tokenizer

from regraft.lm.load import token_id


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
    encoding = tokenizer.encode(text, add_special_tokens=False)
    last = max_tokens or len(encoding)
    ids, spans = encoding.ids[:last], encoding.offsets[:last]
    if begin is not None:
        ids, spans = [begin, *ids], [(0, 0), *spans]
    scored = text[spans[0][1] : spans[-1][1]] if spans else ""
    return Prefix(ids, len(scored.encode()))
