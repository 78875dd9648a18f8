"""A chat request and the answer to it: pure values, no network."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

MAX_TOKENS = 10**9
"""Of one answer; an endpoint that tells more, or less than none, tells nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True)  # no slots: what follows from the fields is kept
class ChatRequest:
    """What is asked of which model: all of a request's identity. Which endpoint answers is none of it."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    frequency_penalty: float = 0.0
    seed: int = 0
    json_schema: str = ""
    """JSON schema of the answer, for servers that keep to one (`response_format`); empty for none."""

    def body(self) -> bytes:
        """Return the canonical JSON body: keys in alphabetical order but for those of the schema, UTF-8."""
        return self._body

    @cached_property
    def _body(self) -> bytes:
        form: dict[str, object] = {}
        if self.json_schema:  # not in the body where there is none: the keys of stored answers stay
            schema = {"name": "answer", "schema": json.loads(self.json_schema), "strict": True}
            form = {"response_format": {"json_schema": schema, "type": "json_schema"}}
        body: dict[str, object] = {
            "frequency_penalty": self.frequency_penalty,
            "max_tokens": self.max_tokens,
            "messages": [{"content": m.content, "role": m.role} for m in self.messages],
            "model": self.model,
            **form,  # a server writes the fields of an answer in the order of the schema
            "seed": self.seed,
            "temperature": self.temperature,
            "top_p": self.top_p,
        }
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    @cached_property
    def key(self) -> str:
        """SHA-256 of the body, 64 hexadecimal digits."""
        return hashlib.sha256(self.body()).hexdigest()

    @cached_property
    def most(self) -> "Usage":
        """An upper bound of what one attempt can cost: a token is at least a byte, and a chat template adds at most 32
        tokens a message."""
        prompt = sum(len(m.content.encode()) + 32 for m in self.messages) + len(self.json_schema.encode())
        return Usage(prompt_tokens=prompt, completion_tokens=self.max_tokens)

    @property
    def likely_tokens(self) -> int:
        """What providers count against a rate before they know better: four bytes a token, and the whole answer."""
        return self.most.prompt_tokens // 4 + self.max_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The first choice of a chat completion."""

    text: str
    finish_reason: str
    """`stop` when the model ended by itself, `length` when `max_tokens` cut it; empty when it is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that an endpoint says it charged."""

    prompt_tokens: int
    completion_tokens: int

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


def parse_answer(body: bytes) -> Answer | str:
    """Return the answer in a raw response body, or why there is none."""
    raw = _object(body)
    if raw is None:
        return "the body is no JSON object"
    match raw.get("choices"):
        case [{"message": {"content": str() as text}} as choice, *_]:
            return Answer(text=_valid(text), finish_reason=str(choice.get("finish_reason") or ""))
        case []:
            return "no choices"
        case _:
            return "no choices[0].message.content"


def parse_usage(body: bytes) -> Usage | None:
    """Return the usage in a raw response body, None when the endpoint tells none that can be."""
    match (_object(body) or {}).get("usage"):
        case {"prompt_tokens": int() as prompt, "completion_tokens": int() as completion} if (
            not isinstance(prompt, bool) and 0 <= prompt <= MAX_TOKENS and 0 <= completion <= MAX_TOKENS
        ):
            return Usage(prompt_tokens=prompt, completion_tokens=completion)
        case _:
            return None


def parse_error(body: bytes) -> int:
    """Return the status of HTTP that an error in a body stands for, 0 when it tells none."""
    match (_object(body) or {}).get("error"):
        case {"code": int() as code} if 400 <= code < 600:
            return code
        case _:
            return 0


def stable_body(body: bytes) -> str:
    """Return the part of an answer that a clock, a host or a counter has no hand in: its choices and its usage."""
    raw = _object(body) or {}
    kept = {name: raw[name] for name in ("choices", "usage") if name in raw}
    return _valid(json.dumps(kept, sort_keys=True, ensure_ascii=False))


def _valid(text: str) -> str:
    """Return a text in which half a surrogate pair, which JSON can say and UTF-8 cannot, is a question mark."""
    return text.encode("utf-8", "replace").decode()


@lru_cache(maxsize=1)  # answer and usage are read one after the other
def _object(body: bytes) -> dict[str, Any] | None:
    try:
        raw: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return raw if isinstance(raw, dict) else None
