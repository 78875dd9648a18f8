import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from regraft.core import ConfigError
from regraft.mixture.topics.measures import Judged, calibration_error, confusion, figures, reliability, wilson


def judged(topic: str, found: str, probability: float = 0.9, best: str = "") -> Judged:
    return Judged(topic=topic, found=found, best=best or found, probability=probability)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_that_of_wilson(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(method="wilson")
    assert wilson(*counts) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_no_share_has_no_interval() -> None:
    assert all(math.isnan(bound) for bound in wilson(0, 0))
    with pytest.raises(ConfigError, match="3 of 2"):
        wilson(3, 2)


def test_precision_is_of_what_was_found_and_recall_of_what_was_there() -> None:
    found = figures([judged("a", "a"), judged("a", "b"), judged("b", "b"), judged("c", "b")])
    values = {(f.measure, f.topic): (f.value, f.n) for f in found if f.measure != "expected_calibration_error"}
    assert values["accuracy", ""] == (0.5, 4)
    assert values["precision", "a"] == (1.0, 1)
    assert values["precision", "b"] == (pytest.approx(1 / 3), 3)
    assert values["recall", "a"] == (0.5, 2)
    assert values["recall", "c"] == (0.0, 1)
    assert math.isnan(values["precision", "c"][0])
    assert values["precision", "c"][1] == 0


def test_confusion_counts_pairs_in_order() -> None:
    pairs = list(confusion([judged("b", "a"), judged("a", "a"), judged("b", "a")]))
    assert pairs == [("a", "a", 1), ("b", "a", 2)]


def test_calibration_is_of_the_best_topic_whatever_the_threshold_made_of_it() -> None:
    rows = [judged("a", "Others", 0.35, best="a"), judged("b", "Others", 0.39, best="a"), judged("a", "a", 1.0)]
    bins = reliability(rows)
    assert [(b.low, b.high, b.accuracy, b.n) for b in bins] == [(0.3, 0.4, 0.5, 2), (0.9, 1.0, 1.0, 1)]
    assert bins[0].confidence == pytest.approx(0.37)
    assert calibration_error(bins) == pytest.approx((2 * 0.13 + 0) / 3)
    assert math.isnan(calibration_error([]))
