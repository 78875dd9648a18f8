"""Templates of prompts: sandboxed Jinja2 in which a variable that is not given is an error."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from regraft.core import ConfigError

if TYPE_CHECKING:
    from jinja2 import Template


def rendered(name: str, template: str, variables: Mapping[str, Any]) -> str:
    """Return a template filled in, without white space at its ends.

    Raises:
        ConfigError: the template, which the error calls `name`, is no Jinja2, asks for another variable or does what
            the sandbox forbids.
    """
    import jinja2

    try:
        return _compiled(template).render(variables).strip()
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise ConfigError(f"prompt {name!r}: {type(error).__name__}: {error}") from error


@cache
def _compiled(template: str) -> "Template":
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(template)
