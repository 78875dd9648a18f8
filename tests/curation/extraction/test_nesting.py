import pytest

from regraft.curation.extraction.nesting import nesting


@pytest.mark.parametrize(
    ("body", "depth"),
    [
        ("<div>" * 5 + "</div>" * 5 + "<DIV></DIV>", 5),
        ("<li><ul><li><ul><li>", 2),
        ("<p>" * 9 + "<br/>" * 9, 0),
        ("<a id='x'/>" * 9, 0),
        ("<svg>" + "<path d='M 1'/>" * 9 + "</svg>", 1),
        ("<i/>" * 9, 9),
        ("<!--" + "<div>" * 9 + "--><b></b><!-->" + "<i>" * 2, 2),
        ("<script>'" + "<div>" * 9 + "'</script><b>", 1),
        ("<style>" + "<div>" * 9 + "</style><b>", 1),
        ('<a title="' + "<div>" * 9 + '">', 0),
        ("<i title=it's>" + "<div>" * 9, 10),
        ("</b>" * 9, 0),
        ("<span><div></span>" * 5, 10),
        ("<b>" * 3 + "<i></b></i>", 4),
    ],
)
def test_depth_of_worked_examples(body: str, depth: int) -> None:
    assert nesting(body, 100, 10**9).depth == depth


def test_work_is_the_elements_around_each_character() -> None:
    text = "word " * 100
    assert nesting(text, 9, 10**9).work == 0
    assert nesting("<b><i>" + text, 9, 10**9).work == 20 + 2 * len(text)  # the second tag stands in one element
    assert nesting("<b>" + "<p>" * 7, 9, 10**9).work == 7 * 20  # tags become elements, so they count more


def test_it_stops_beyond_a_bound() -> None:
    assert nesting("<b>" * 1000, 10, 10**9).depth == 11
    assert nesting("<b>" * 50 + "<p>" * 1000, 100, 10_000).depth == 33
