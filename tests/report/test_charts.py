import math

from regraft.report import charts

ROW = {"model": "base", "value": 2.0, "low": 1.9, "high": 2.1}


def test_a_label_that_looks_like_an_attribute_is_drawn_as_it_is():
    svg = charts.intervals([{**ROW, "label": 'x id="y" > z'}], x="bits")
    assert 'x id="y" &gt; z' in svg
    assert "xmlns" not in svg


def test_ids_go_from_tags_and_stay_in_text():
    tags = '<clipPath id="a" x="1"><text aria-label="id: > &quot;">say id="b"</text></clipPath>'
    assert charts._without_ids(tags) == '<clipPath  x="1"><text aria-label="id: > &quot;">say id="b"</text></clipPath>'


def test_a_figure_without_an_interval_is_drawn_without_a_line():
    with_line, without = (
        charts.intervals([{**ROW, "label": "zh", "low": low, "high": high}], x="bits")
        for low, high in ((1.9, 2.1), (math.nan, math.nan))
    )
    assert "NaN" not in without
    assert with_line.count('aria-roledescription="rule mark"') == 1
    assert not without.count('aria-roledescription="rule mark"')
    assert without.count('aria-roledescription="point"') == 1
