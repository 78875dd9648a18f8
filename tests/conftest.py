"""What all tests share."""

import logging
import os
from collections.abc import Iterator

import pytest

os.environ["OMP_NUM_THREADS"] = "1"
"""Before anything computes: processes that a test starts do as it does, so that their sums come out the same."""


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """Take back the log handlers that the command line sets: they write to a stream that ends with the test."""
    logger = logging.getLogger("regraft")
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)
