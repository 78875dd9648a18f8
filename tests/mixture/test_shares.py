from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.mixture.shares import (
    Group,
    Mixture,
    Source,
    StreamKey,
    initial_shares,
    planned_budget,
    whole_counts,
)

ZH = Group(name="zh", share=0.2, sources=(Source(name="web-zh", share=1.0),))
EN = Group(name="en", share=0.8, sources=(Source(name="web-en", share=0.75), Source(name="books", share=0.25)))
MIXTURE = Mixture(groups=(ZH, EN))
SUPPLY = {
    StreamKey("zh", "web-zh", "Law"): 30,
    StreamKey("zh", "web-zh", "Physics"): 10,
    StreamKey("en", "web-en", "Law"): 50,
    StreamKey("en", "books", "Law"): 5,
}


def test_shares_multiply_and_topics_stand_as_they_occur() -> None:
    assert initial_shares(MIXTURE, SUPPLY) == pytest.approx(
        {
            StreamKey("en", "books", "Law"): 0.2,
            StreamKey("en", "web-en", "Law"): 0.6,
            StreamKey("zh", "web-zh", "Law"): 0.15,
            StreamKey("zh", "web-zh", "Physics"): 0.05,
        }
    )


def test_a_source_without_documents_is_refused_with_what_there_is() -> None:
    english = {key: n for key, n in SUPPLY.items() if key.language == "en"}
    with pytest.raises(ConfigError, match=r"web-zh of group 'zh' has no sequences; there are \['en/books', 'en/web-en"):
        initial_shares(MIXTURE, english)


def test_one_source_may_be_split_by_language() -> None:
    halves = (Source(name="wiki", language="zh", share=0.5), Source(name="wiki", language="en", share=0.5))
    mixture = Mixture(groups=(Group(name="all", share=1.0, sources=halves),))
    shares = initial_shares(mixture, {StreamKey("zh", "wiki", "a"): 1, StreamKey("en", "wiki", "a"): 99})
    assert list(shares.values()) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ((ZH,), "must lie in"),
        ((ZH, EN, ZH), "name each once"),
        ((ZH, Group(name="b", share=0.8, sources=ZH.sources)), "stands twice"),
    ],
)
def test_a_wrong_mixture_is_refused(groups: tuple[Group, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Mixture(groups=groups)


@pytest.mark.parametrize("epochs", [0.5, float("nan"), float("inf")])
def test_a_source_is_served_once_at_least(epochs: float) -> None:
    with pytest.raises(ConfigError, match="max_epochs of the source 'web'"):
        Source(name="web", share=1.0, max_epochs=epochs)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30).filter(lambda s: sum(s) > 1e-3), st.integers(0, 10_000))
def test_whole_counts_sum_exactly_and_stay_within_one(weights: list[float], total: int) -> None:
    shares = {i: w / sum(weights) for i, w in enumerate(weights)}
    counts = whole_counts(shares, total)
    assert sum(counts.values()) == total
    assert all(abs(counts[i] - total * shares[i]) < 1 + 1e-6 for i in shares)


def test_whole_counts_serve_the_largest_remainder_first() -> None:
    assert whole_counts({"a": 0.5, "b": 0.3, "c": 0.2}, 7) == {"a": 4, "b": 2, "c": 1}


def test_the_budget_says_what_falls_short_and_what_is_unused() -> None:
    repeated = tuple(replace(source, max_epochs=1.5) for source in EN.sources)
    mixture = Mixture(groups=(ZH, replace(EN, sources=repeated)))
    lines = planned_budget(mixture, {**SUPPLY, StreamKey("en", "pubmed", "Others"): 9}, 100)
    assert [(b.group, b.source, b.planned, b.supply, b.shortfall) for b in lines] == [
        ("zh", "web-zh", 20, 40, 0),
        ("en", "web-en", 60, 50, 0),
        ("en", "books", 20, 5, 13),
        ("", "pubmed", 0, 9, 0),
    ]
    assert [b.epochs for b in lines] == [0.5, 1.2, 4.0, 0.0]


@example(100, 115)
@given(st.integers(1, 100_000_000), st.integers(100, 400))
def test_epochs_count_as_they_are_written(sequences: int, percent: int) -> None:
    """100 x 1.15 is 114.99999999999999 in binary."""
    source = Source(name="web", share=1.0, max_epochs=percent / 100)
    mixture = Mixture(groups=(Group(name="all", share=1.0, sources=(source,)),))
    assert mixture.capacity(StreamKey("en", "web", "-"), sequences) == sequences * percent // 100
