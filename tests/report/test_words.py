import math

import pytest

from regraft.corpus import tokens
from regraft.report import words
from regraft.report.words import (
    change,
    duration,
    interval,
    number,
    over,
    panel,
    percent,
    percent_interval,
    place,
    size,
    stream,
)

ROW = {
    "metric": "relative change of bits per byte",
    "slice": "zh",
    "value": -0.131,
    "low": -0.142,
    "high": -0.12,
    "n": 80,
    "clusters": 80,
}


def test_a_change_whose_interval_excludes_0_is_said_plainly():
    assert change(ROW, 2.412, 2.096) == (
        "Chinese: bits per byte fell by 13.1 % [12.0, 14.2], from 2.412 to 2.096 (80 documents)."
    )


def test_a_rise_is_called_a_rise():
    row = ROW | {"slice": "en/wikipedia", "value": 0.03, "low": 0.02, "high": 0.04}
    assert "English, wikipedia: bits per byte rose by 3.0 % [2.0, 4.0]" in change(row, 1.0, 1.03)


def test_a_change_that_may_be_chance_is_not_called_one():
    row = ROW | {"value": -0.004, "low": -0.011, "high": 0.002}
    said = change(row, 1.0, 0.996)
    assert "no change of bits per byte can be told from chance: 0.4 % [−0.2, 1.1] lower" in said
    assert "fell" not in said


def test_accuracy_is_in_points_and_shares():
    row = ROW | {
        "task": "mmlu",
        "metric": "change of accuracy",
        "slice": "en",
        "value": 0.05,
        "low": 0.01,
        "high": 0.09,
    }
    assert change(row, 0.3, 0.35) == (
        "mmlu, English: accuracy rose by 5.0 points [1.0, 9.0], from 30.0 % to 35.0 % (80 questions)."
    )


def test_without_an_interval_it_says_so():
    said = change(ROW | {"low": math.nan, "high": math.nan, "n": 3, "clusters": 3}, 2.4, 2.1)
    assert said == (
        "Chinese: bits per byte is 13.1 % lower, from 2.400 to 2.100 (3 documents, too few to tell it from chance)."
    )


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (number(-1234.5678, 1), "−1,234.6"),
        (number(math.nan), "–"),
        (interval(2.0, math.nan, math.nan), "2.000 [–]"),
        (percent_interval(-0.1, -0.2, 0.05), "−10.0 % [−20.0, 5.0]"),
        (over(ROW | {"n": 25, "clusters": 6}), "25 documents in 6 clusters"),
        (over(ROW | {"n": 9, "clusters": 1}), "9 documents in 1 cluster"),
        (over(ROW | {"metric": "accuracy"}), "80 questions"),
        (panel("en/pubmed/-"), "en/pubmed"),
        (stream("en/pubmed/-"), "en/pubmed"),
        (stream("zh/debian-zh/A/-"), "zh/debian-zh/A/-"),
        (place("en/pubmed/-"), "English, pubmed"),
        (percent(0.25), "25.0 %"),
        (place("zh/debian-zh/Networking/Security"), "Chinese, debian-zh, Networking/Security"),
        (place("fr"), "fr"),
        (duration(5.04), "5.0 s"),
        (duration(754), "12 min 34 s"),
        (duration(7260), "2 h 01 min"),
        (size(999), "999 bytes"),
        (size(3_400_000_000), "3.4 GB"),
    ],
)
def test_numbers_in_words(shown, expected):
    assert shown == expected


def test_no_topic_is_what_the_tokens_say():
    assert words.NO_TOPIC == tokens.NO_TOPIC
