"""Prompts as data: a sandboxed Jinja2 template whose whole text is part of a step's identity."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from regraft.core import ConfigError

if TYPE_CHECKING:
    from jinja2 import Template

_FOLDER = Path(__file__).with_name("prompt_templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A template over `discipline`, `snippet` and `words`; a variable that it asks for beyond these is an error."""

    name: str
    template: str

    @property
    def digest(self) -> str:
        """SHA-256 of the template's text, for the provenance of a pair."""
        return hashlib.sha256(self.template.encode()).hexdigest()

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
    """Return a prompt that ships with regraft."""
    return Prompt(name=name, template=(_FOLDER / f"{name}.jinja").read_text("utf-8"))


SCIENCE_QA = packaged("science_qa")
"""For an instruction-tuned model of a billion parameters or more.

Source: its structure is that of Llama-3-SynE (arXiv:2407.18743; opening line [F], the rest as in YuLan-Mini [Y]:
inspired by a snippet, Problem and Solution, self-contained, step by step, 250-350 words), in words of our own.
"""
SCIENCE_QA_BRIEF = packaged("science_qa_brief")
"""For a very small model, which follows a short instruction after the text better. Not in the paper."""
