import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.training.validation import Measured, standard_error


def test_the_error_of_equal_documents_is_nothing() -> None:
    assert standard_error([2.0, 4.0, 6.0], [1, 2, 3]) == pytest.approx(0, abs=1e-12)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=30))
def test_it_is_the_textbook_error_for_documents_of_one_length(values: list[float]) -> None:
    n = len(values)
    mean = sum(values) / n
    textbook = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)
    assert standard_error(values, [1] * n) == pytest.approx(textbook, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_that_of_a_bootstrap_over_documents_of_many_lengths(seed: int) -> None:
    """A thousand resamples tell a standard error to 1 / sqrt(2000), 2.2 %; so here to 7 %, three times that."""
    random = np.random.default_rng(seed)
    lengths = random.integers(20, 256, 200)
    losses = lengths * random.normal(3, 0.4, 200) + random.normal(0, 20, 200)
    drawn = random.integers(200, size=(1000, 200))
    bootstrap = (losses[drawn].sum(1) / lengths[drawn].sum(1)).std(ddof=1)
    assert standard_error(losses.tolist(), lengths.tolist()) == pytest.approx(bootstrap, rel=0.07)


def test_two_documents_tell_nothing() -> None:
    assert standard_error([1.0, 2.0], [1, 1]) == math.inf


def test_a_loss_a_token_is_over_all_documents() -> None:
    assert Measured(losses=(2.0, 6.0), lengths=(1, 3)).per_token == 2.0
