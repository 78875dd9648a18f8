import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from regraft.evaluation import significance
from regraft.evaluation.significance import difference, mcnemar, ratio, relative_change, wilson

items = st.lists(st.tuples(st.floats(0, 100), st.floats(0.5, 100)), min_size=10, max_size=30)
answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=200)


@given(items)
def test_ratio_is_the_quotient_of_sums_inside_its_interval_inside_the_range_of_the_items(pairs):
    value, weight = np.array(pairs).T
    found = ratio(value, weight, resamples=200)
    each = value / weight
    assert found.value == pytest.approx(value.sum() / weight.sum())
    assert each.min() - 1e-9 <= found.low <= found.high <= each.max() + 1e-9


def test_interval_of_a_mean_agrees_with_the_normal_approximation():
    value = np.random.default_rng(1).normal(5, 2, size=400)
    found = ratio(value, np.ones(400))
    error = value.std() / math.sqrt(400)
    assert found.low == pytest.approx(value.mean() - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(value.mean() + 1.96 * error, abs=0.1 * error)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        value = generator.exponential(size=60)
        found = ratio(value, np.ones(60), resamples=500)
        hits += found.low <= 1 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_the_same_seed_gives_the_same_interval_however_the_draws_are_cut(monkeypatch):
    value, weight = np.arange(1.0, 21) ** 2.5, np.ones(20)
    whole = ratio(value, weight, seed=3)
    monkeypatch.setattr(significance, "_PICKS_AT_ONCE", 20 * 7)
    assert ratio(value, weight, seed=3) == whole
    assert ratio(value, weight, seed=4) != whole


def test_pairing_cancels_what_both_models_share():
    generator = np.random.default_rng(0)
    weight = generator.integers(100, 5_000, size=80).astype(float)
    before = weight * generator.uniform(1, 4, size=80)
    after = before * 0.9
    found = relative_change((before, weight), (after, weight))
    assert found.value == pytest.approx(-0.1)
    assert (found.low, found.high) == pytest.approx((-0.1, -0.1))


@given(items)
def test_a_model_against_itself_changes_nothing(pairs):
    value, weight = np.array(pairs).T
    found = difference((value, weight), (value, weight), resamples=50)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_difference_agrees_with_scipys_paired_bootstrap():
    generator = np.random.default_rng(5)
    before, after = generator.integers(0, 2, size=(2, 150)).astype(float)
    ones = np.ones(150)
    found = difference((before, ones), (after, ones))
    oracle = stats.bootstrap((after - before,), np.mean, method="percentile", rng=1, n_resamples=9_999)
    assert found.low == pytest.approx(oracle.confidence_interval.low, abs=0.015)
    assert found.high == pytest.approx(oracle.confidence_interval.high, abs=0.015)


def test_clusters_widen_the_interval_of_items_that_repeat_each_other():
    value = np.repeat(np.random.default_rng(7).normal(size=20), 10)
    alone = ratio(value, np.ones(200))
    together = ratio(value, np.ones(200), clusters=[f"book {i // 10}" for i in range(200)])
    assert together.high - together.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize(("num_items", "num_clusters"), [(1, 1), (9, 9), (40, 4)])
def test_too_few_have_a_value_and_no_interval(num_items, num_clusters):
    found = ratio([3.0] * num_items, [2.0] * num_items, clusters=[str(i % num_clusters) for i in range(num_items)])
    assert found.value == 1.5
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize(("num_clusters", "pages"), [(5, 4), (6, 5), (10, 1)])
def test_few_clusters_are_covered_nearly_as_often_as_it_says(num_clusters, pages):
    generator = np.random.default_rng(4)
    clusters = [str(i // pages) for i in range(num_clusters * pages)]
    hits = 0
    for _ in range(300):
        value = np.repeat(generator.normal(1, 1, size=num_clusters), pages) + generator.normal(0, 0.5, len(clusters))
        found = ratio(value, np.ones(len(clusters)), clusters=clusters, resamples=2000)
        hits += found.low <= 1 <= found.high
    assert hits / 300 >= 0.9


@given(answers)
def test_mcnemar_agrees_with_the_exact_binomial_test(pairs):
    before, after = np.array(pairs).T
    found = mcnemar(before, after)
    changed = found.gained + found.lost
    assert found.gained - found.lost == after.sum() - before.sum()
    expected = stats.binomtest(found.gained, changed).pvalue if changed else 1.0
    assert found.p == pytest.approx(expected)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(case):
    successes, n = case
    oracle = stats.binomtest(successes, n).proportion_ci(method="wilson")
    found = wilson(successes, n)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))


@pytest.mark.parametrize(
    ("value", "weight", "message"),
    [
        ([], [], "at least one"),
        ([1.0, 2.0], [1.0], "same items"),
        ([1.0, math.nan], [1.0, 1.0], "not finite"),
        ([1.0, 2.0], [0.0, 0.0], "not all 0"),
        ([1.0, 2.0], [3.0, -1.0], "not be negative"),
    ],
)
def test_what_cannot_be_averaged_is_refused(value, weight, message):
    with pytest.raises(ValueError, match=message):
        ratio(value, weight)
