import math

import pytest

from regraft.corpus.packing import concat_and_cut
from regraft.report.collect import collect
from regraft.report.difficulty import Scored, _points, _scored_streams


def test_a_sequence_is_as_hard_as_its_tokens_on_average():
    stream = Scored(concat_and_cut([6, 4, 10], 8), [1.0, 3.0, 5.0])
    assert stream.of_sequence(0) == pytest.approx((6 * 1 + 2 * 3) / 8)
    assert stream.of_sequence(1) == pytest.approx((2 * 3 + 6 * 5) / 8)
    assert stream.of_sequence(3) == stream.of_sequence(0)  # served again once the stream has ended


def test_points_follow_what_was_served(made):
    evidence = collect(*made)
    training = evidence.trainings()[0]
    tokens, annotation = evidence.steps["tokens/train"], evidence.steps["difficulty"]
    points = _points(training, _scored_streams(training, tokens, annotation))
    first = [p for p in points if p["panel"] == "zh/debian-zh\nNetworking"][:3]
    # documents d0 and d4 fill one sequence each: 1 and 5 nats a byte, in turn
    assert [p["y"] * math.log(2) for p in first] == pytest.approx([1.0, 5.0, 1.0])
    assert [p["x"] for p in first] == [2, 4, 6]
