import math

import pytest

from regraft.report.collect import collect
from regraft.report.difficulty import points_of


def test_points_follow_what_was_served(made):
    evidence = collect(*made)
    points = points_of(evidence.trainings()[0], [evidence.steps["difficulty"]])
    first = [p for p in points if p["panel"] == "zh/debian-zh\nNetworking"][:3]
    # each step takes one document or 6 tokens of one and 2 of the other: 1 and 5 nats a byte
    assert [p["y"] * math.log(2) for p in first] == pytest.approx([1.0, 5.0, (6 * 1 + 2 * 5) / 8])
    assert [p["x"] for p in first] == [2, 4, 6]


def test_documents_without_a_difficulty_leave_no_point(made):
    assert points_of(collect(*made).trainings()[0], []) == []
