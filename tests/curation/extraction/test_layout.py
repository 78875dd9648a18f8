import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.curation.extraction.extract import Extract, ExtractConfig
from regraft.curation.extraction.layout import SAVIOUR, layout
from tests.curation.extraction.test_extract import page, text_of

PROSE = "Words that stand outside of links, enough of them. "
LINK = "<a href='/'>Some link</a> "


def extracted(body: str) -> str:
    return text_of(Extract(ExtractConfig())(page(f"<h1>Title</h1>{body}<p>The end of the page.</p>")))


def test_lists_of_text_stay_wherever_they_stand_and_lists_of_links_go() -> None:
    made = extracted(f"<ul><li>{PROSE}<ul><li>Inner words {LINK}</li></ul></li></ul><ul><li>{LINK * 9}</li></ul>")
    assert "• " + PROSE.strip() in made
    assert "    • Inner words Some link" in made
    assert made.count("Some link") == 1


def test_a_list_that_calls_itself_navigation_goes() -> None:
    assert PROSE.strip() not in extracted(f"<ul class='docnav'><li>{PROSE}</li></ul>")


@pytest.mark.parametrize("box", ["<div class='sidebar'>{}</div>", "<aside>{}</aside>"])
def test_boxes_of_text_stay_and_boxes_of_links_go(box: str) -> None:
    assert PROSE.strip() in extracted(box.format(PROSE))
    assert PROSE.strip() not in extracted(box.format(PROSE + LINK * 9))


def test_an_anchor_of_xhtml_is_no_link() -> None:
    """As HTML it is never closed, and all that follows looks like a link."""
    section = f"<div class='section'><a id='a'/><h2>Heading</h2><p>{PROSE}</p></div>"
    assert "Heading" in extracted(f"<div><div>{section}</div></div>")
    assert layout("<a id='a'/><a href=x>b</a>") == "<a href=x>b</a>"


def test_a_chinese_full_stop_by_itself_stays() -> None:
    assert "见此处。中文" in extracted("<p>见<a href=x>此处</a>。<a href=y>中</a>文</p>")
    assert SAVIOUR not in layout("<i>\ue000</i><i>a</i><i> </i>")


def test_rows_of_a_table_stay_on_a_line() -> None:
    made = extracted("<table><tr><th><p>A</p></th><th>B</th></tr><tr><td>1<br>2</td><td><p>3</p></td></tr></table>")
    assert [line.split() for line in made.splitlines() if "\t" in line] == [["A", "B"], ["1", "2", "3"]]
    long = "<td><p>" + PROSE * 20 + "</p></td>"
    assert layout(long) == long


def test_formulas_stand_in_the_text_once() -> None:
    tex = '<math><mi>q</mi><annotation encoding="application/x-tex">q^2</annotation></math>'
    katex = f'<span class="katex"><span>{tex}</span><span class="katex-html" aria-hidden="true">q2</span></span>'
    image = '<img class="mwe-math-fallback-image-inline" alt="{\\displaystyle q^2}">'
    wikipedia = f'<span><span class="mwe-math-mathml-inline" style="display: none;">{tex}</span>{image}</span>'
    for formula in (tex, katex, wikipedia, '<script type="math/tex">q^2</script>'):
        assert "so $q^2$ is" in extracted(f"<p>so {formula} is</p>")
    assert r"\(z\) and $$w$$" in extracted(r"<p>\(z\) and $$w$$ <img alt='A photo' src='x'></p>")
    assert "photo" not in extracted("<p><img alt='A photo' src='x'></p>")


def test_addresses_and_code_are_no_buttons() -> None:
    for address in ('<code class="email">{}</code>', "<a class=email href='mailto:{}'>{}</a>"):
        assert "Ask x@example.org first." in extracted(f"<p>Ask {address.replace('{}', 'x@example.org')} first.</p>")
    assert "Run login now." in extracted('<p>Run <code class="login">login</code> now.</p>')


def test_a_line_of_chinese_goes_on_in_the_next() -> None:
    assert "嫁接是把幼枝\n" not in (text := extracted("<p>嫁接是把幼枝\n接到老根上，\r\n  保持 Linux\n力量</p>"))
    assert "嫁接是把幼枝接到老根上，保持 Linux 力量" in text
    assert "嫁接\n幼枝" in extracted("<pre>嫁接\n幼枝</pre>")


@pytest.mark.parametrize(
    "page",
    [
        "<img " + "a" * 100_000 + ">",
        "<ul" + " id=" * 30_000 + ">" + "x" * 30 + "</ul>",
        "<math><annotation " + "application/x-tex " * 10_000 + "<b></math>",
        "<script type=math/tex>" + "</scripta" * 10_000 + ">x></script>",
    ],
)
def test_hostile_tags_take_linear_time(page: str) -> None:
    layout(page)


@given(
    st.lists(
        st.sampled_from(["<ul>", "</ul>", "<td>", "<p>", "<a>", "<a href=x>", "</a>", "<math>", "</math>", "中", "a"])
    )
)
def test_only_what_the_rules_name_changes(pieces: list[str]) -> None:
    made = layout("".join(pieces))
    assert layout("plain & text < 3") == "plain & text < 3"
    assert "<a>" not in made
