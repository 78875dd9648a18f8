import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import regraft.recipes
from regraft.core import Artifact, ConfigError, RawFiles
from regraft.corpus.document import Document, Reject
from regraft.corpus.ingest import HtmlPages, IngestConfig, ingest
from regraft.curation.extract import Extract, ExtractConfig, extract_text, normalise
from regraft.curation.nesting import nested_deeper
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of

SAMPLES = Path(regraft.recipes.__path__[0]) / "samples" / "debian"
HTML = json.dumps({"format": "html"})


def page(body: str) -> Document:
    return Document(id="a", text=f"<html><body>{body}</body></html>", source="s", meta=HTML)


@pytest.fixture(scope="module")
def faq(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    root = tmp_path_factory.mktemp("faq")
    files = RawFiles(root=str(SAMPLES / "zh" / "faq"), pattern="*.html")
    raw = ingest.step("raw", IngestConfig(source="faq", language="zh", reader=HtmlPages(), files=files))
    return make(extract_text.step("text", ExtractConfig(), docs=raw), root)


def test_real_pages_become_text(faq: Artifact) -> None:
    found = documents_of(faq)
    assert len(found) == len(list((SAMPLES / "zh" / "faq").glob("*.html")))
    assert all("<" + "div" not in row["text"] and "Debian" in row["text"] for row in found)
    assert rejects_of(faq) == []


def test_output_is_pinned(faq: Artifact) -> None:
    assert (extract_text.version, digest_of(faq)) == (3, "e52fb20817857893")


def test_code_and_tables_are_kept_as_text() -> None:
    code = "<pre>def graft():\n    return 1\n</pre><table><tr><td>a</td><td>b</td></tr></table>"
    made = Extract(ExtractConfig())(page(f"<nav><a href='/'>Home</a></nav><main><p>Some words.</p>{code}</main>"))
    assert isinstance(made, Document)
    assert made.id == "a"
    assert "def graft():\n    return 1" in made.text
    assert [cell.strip() for cell in made.text.splitlines()[-1].split("\t") if cell] == ["a", "b"]
    assert "Home" not in made.text


def test_what_has_no_text_or_too_much_is_rejected() -> None:
    assert Extract(ExtractConfig())(page("<script>1</script>")) == Reject("no_text")
    assert Extract(ExtractConfig(max_characters=9))(page("")) == Reject("too_large", "26 characters")


def test_a_page_nested_too_deep_is_rejected_unparsed() -> None:
    """Parsed, this one would take minutes."""
    assert Extract(ExtractConfig())(page("<div>" * 100_000)) == Reject(
        "too_deep", "more than 1,000 elements inside each other"
    )
    flat = "<div><p>Some words<p>and more<br></div>" * 50
    assert isinstance(Extract(ExtractConfig(max_depth=1))(page(flat)), Document)
    with pytest.raises(ConfigError, match="max_depth 0"):
        ExtractConfig(max_depth=0)


@pytest.mark.parametrize(
    ("body", "depth"),
    [
        ("<div>" * 5 + "</div>" * 5 + "<DIV></DIV>", 5),
        ("<li><ul><li><ul><li>", 2),
        ("<p>" * 9 + "<br/>" * 9, 0),
        ("<svg>" + "<path d='M 1'/>" * 9 + "</svg>", 1),
        ("<i/>" * 9, 9),
        ("<!--" + "<div>" * 9 + "--><b></b><!-->" + "<i>" * 2, 2),
        ("<script>'" + "<div>" * 9 + "'</script><b>", 1),
        ('<a title="' + "<div>" * 9 + '">', 1),
        ("<a title=it's>" + "<div>" * 9, 10),
        ("</b>" * 9, 0),
        ("<span><div></span>" * 5, 10),
        ("<b>" * 3 + "<i></b></i>", 4),
    ],
)
def test_depth_of_worked_examples(body: str, depth: int) -> None:
    assert not nested_deeper(body, depth)
    assert depth == 0 or nested_deeper(body, depth - 1)


def test_other_documents_are_only_normalised(tmp_path: Path) -> None:
    given_text = "A <b> tag\r\n\r\n\r\n\r\nin plain\u00a0text \u200b\x00\n"
    made = make(
        extract_text.step("text", ExtractConfig(), docs=corpus([Document(id="a", text=given_text, source="s")])),
        tmp_path,
    )
    assert documents_of(made)[0]["text"] == "A <b> tag\n\nin plain text"


@given(st.text())
def test_normalise_is_done_once(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert "\n\n\n" not in once
