"""Whether the models of a step can be asked by the means of a run: told before the first step runs."""

import logging
import os
import socket
from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from regraft.core import Asking, ConfigError, Execution

if TYPE_CHECKING:
    from regraft.lm.client.endpoint import Endpoint

_LOG = logging.getLogger(__name__)
CONNECT_S = 2.0
KEY_VARIABLE = "REGRAFT_API_KEY"
"""Environment variable with the key of an endpoint that wants one."""


class Asks(Protocol):
    """The config of a stage that asks models."""

    @property
    def models(self) -> tuple[str, ...]:
        """Their names; that of the input `generator` first."""
        ...

    @property
    def budget_tokens(self) -> int:
        """Prompts and answers together."""
        ...


def ready_to_ask(config: Asks, execution: Execution, inputs: Collection[str]) -> None:
    """Do as `check_means`, and warn of an endpoint that cannot be reached: it may be started in the meantime."""
    check_means(config, execution, inputs)
    for url in execution.asking.endpoints:
        if trouble := _cannot_connect(url):
            _LOG.warning("%s cannot be reached now (%s); it must be when its step comes", url, trouble)


@cache
def _cannot_connect(url: str) -> str:
    """Return why no connection to a server can be made, "" where it can; a URL is tried once."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(address, CONNECT_S).close()
    except OSError as error:
        return str(error)
    return ""


def check_means(config: Asks, execution: Execution, inputs: Collection[str]) -> None:
    """Ask for exactly one endpoint, a given one or a server of our own, that can answer as every model of a config.

    Raises:
        ConfigError: neither or both, so that it is unclear whose model is meant; a model that the input `generator` is
            not; a URL or key that cannot be one.
    """
    first, *others = config.models
    given, wired = execution.asking.endpoints, "generator" in inputs
    if wired and given:
        raise ConfigError(
            f"It is wired to ask {first} in a server of its own, but an endpoint is given too. Give --generator NAME, "
            "the model's name there, together with --endpoint, or neither."
        )
    if not wired and not given:
        raise ConfigError(
            f"It is to ask {first}, but no endpoint. Give --endpoint URL with --generator NAME, or wire a step that "
            "makes the GGUF file as input `generator`."
        )
    if wired and (other := next((name for name in others if name != first), "")):
        raise ConfigError(
            f"The server of {first} cannot answer as {other}. Name the same model, or give an --endpoint that serves "
            "both."
        )
    if given:
        endpoint_of(execution.asking).headers()


def endpoint_of(asking: Asking) -> "Endpoint":
    """Return the endpoint that is given.

    Raises:
        ConfigError: a URL that is none of a server.
    """
    from regraft.lm.client.endpoint import Endpoint

    key = KEY_VARIABLE if os.environ.get(KEY_VARIABLE) else ""
    return Endpoint(base_urls=asking.endpoints, key_variable=key)
