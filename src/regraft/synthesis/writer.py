"""Who writes, and how: what turns a prompt into a request."""

import hashlib
from dataclasses import dataclass

from regraft.core import ConfigError
from regraft.lm.client.chat import ChatRequest, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterConfig:
    """A model and how its answers are sampled.

    Source: the paper's model has 7 billion parameters ([R] Mistral-7B-Instruct v0.3); sampling is not in the paper.
    """

    model: str
    """The GGUF file inside the input `generator`; without that input, what the endpoint calls the model."""
    max_tokens: int = 800
    temperature: float = 0.7
    top_p: float = 0.95
    frequency_penalty: float = 0.0
    """A very small model needs some 0.7 not to repeat itself."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ConfigError(f"writer.max_tokens is {self.max_tokens}; it must be at least 1.")
        if not self.temperature >= 0:
            raise ConfigError(f"writer.temperature is {self.temperature}; it must not be negative.")

    def request(self, messages: tuple[Message, ...], place: str) -> ChatRequest:
        """Return a request whose seed follows from `seed` and `place`, which tells it from others."""
        digest = hashlib.sha256(f"{self.seed} request {place}".encode()).digest()
        return ChatRequest(
            model=self.model,
            messages=messages,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            frequency_penalty=self.frequency_penalty,
            seed=int.from_bytes(digest[:4]) >> 1,
        )

    def meta(self) -> dict[str, str]:
        """Return the model and its sampling for the `meta` of a document."""
        return {
            "model": self.model,
            "max_tokens": str(self.max_tokens),
            "temperature": f"{self.temperature:g}",
            "top_p": f"{self.top_p:g}",
            "frequency_penalty": f"{self.frequency_penalty:g}",
        }
