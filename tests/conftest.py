"""What all tests share."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """Take back the log handlers that the command line sets: they write to a stream that ends with the test."""
    logger = logging.getLogger("regraft")
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)
