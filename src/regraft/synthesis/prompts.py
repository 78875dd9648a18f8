"""Prompts as data: a sandboxed Jinja2 template whose whole text is part of a step's identity."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from regraft.core import ConfigError
from regraft.lm.chat import Message

if TYPE_CHECKING:
    from jinja2 import Template

_FOLDER = Path(__file__).with_name("prompt_templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A demonstration: what is to be written for a snippet of a discipline."""

    discipline: str
    snippet: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A template over `discipline`, `snippet` and `words`; a variable that it asks for beyond these is an error."""

    name: str
    template: str
    examples: tuple[Example, ...] = ()
    """Shown as earlier turns of the conversation, in order."""

    @property
    def digest(self) -> str:
        """SHA-256 of the template and the examples, for the provenance of a pair."""
        parts = [self.template, *(text for e in self.examples for text in (e.discipline, e.snippet, e.answer))]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def messages(self, *, discipline: str, snippet: str, words: int) -> tuple[Message, ...]:
        """Return the conversation to be continued: each example as a turn and its answer, then the snippet.

        Raises:
            ConfigError: as `render`.
        """
        turns: list[Message] = []
        for example in self.examples:
            content = self.render(discipline=example.discipline, snippet=example.snippet, words=words)
            turns += [Message(role="user", content=content), Message(role="assistant", content=example.answer)]
        content = self.render(discipline=discipline, snippet=snippet, words=words)
        return (*turns, Message(role="user", content=content))

    def render(self, *, discipline: str, snippet: str, words: int) -> str:
        """Return the prompt.

        Raises:
            ConfigError: the template is no Jinja2, asks for another variable or does what the sandbox forbids.
        """
        import jinja2

        try:
            return _compiled(self.template).render(discipline=discipline, snippet=snippet, words=words).strip()
        except jinja2.TemplateError as error:
            raise ConfigError(f"prompt {self.name!r}: {type(error).__name__}: {error}") from error


@cache
def _compiled(template: str) -> "Template":
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(template)


def packaged(name: str) -> Prompt:
    """Return a prompt that ships with regraft: `NAME.jinja`, and `NAME.examples.json` where it has examples."""
    examples = _FOLDER / f"{name}.examples.json"
    return Prompt(
        name=name,
        template=(_FOLDER / f"{name}.jinja").read_text("utf-8"),
        examples=tuple(Example(**e) for e in json.loads(examples.read_text("utf-8"))) if examples.exists() else (),
    )


SCIENCE_QA = packaged("science_qa")
"""For an instruction-tuned model of a billion parameters or more.

Source: its structure is that of Llama-3-SynE (arXiv:2407.18743; opening line [F], the rest as in YuLan-Mini [Y]:
inspired by a snippet, Problem and Solution, self-contained, step by step, 250-350 words), in words of our own.
"""
SCIENCE_QA_BRIEF = packaged("science_qa_brief")
"""For a very small model, which keeps to the form only when it is shown the form. Not in the paper."""
