"""The prompt that asks for one topic, as data: a sandboxed Jinja2 template whose whole text is part of the identity."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from regraft.core import ConfigError
from regraft.lm.client.chat import Message
from regraft.mixture.topics.taxonomy import Topic

if TYPE_CHECKING:
    from jinja2 import Template

_FOLDER = Path(__file__).with_name("prompt_templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPrompt:
    """A template over `topics` (each with `name` and `description`) and `text`; no other variables."""

    name: str
    template: str

    def check(self) -> None:
        """Return if the template can be rendered.

        Raises:
            ConfigError: as `message`.
        """
        self.message([Topic(name="a topic")], "a text")

    def message(self, topics: Sequence[Topic], text: str) -> Message:
        """Return what to ask about a text.

        Raises:
            ConfigError: the template is no Jinja2, asks for another variable or does what the sandbox forbids.
        """
        import jinja2

        try:
            content = _compiled(self.template).render(topics=topics, text=text).strip()
        except jinja2.TemplateError as error:
            raise ConfigError(f"prompt {self.name!r}: {type(error).__name__}: {error}") from error
        return Message(role="user", content=content)


@cache
def _compiled(template: str) -> "Template":
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(template)


def packaged(name: str) -> TopicPrompt:
    """Return a prompt that ships with regraft."""
    return TopicPrompt(name=name, template=(_FOLDER / f"{name}.jinja").read_text("utf-8"))
