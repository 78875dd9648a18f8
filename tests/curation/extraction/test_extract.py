import json
from pathlib import Path

import pytest

import regraft.recipes
from regraft.core import Artifact, ConfigError, RawFiles
from regraft.corpus.document import Changed, Document, Outcome, Reject
from regraft.corpus.ingest import HtmlPages, IngestConfig, ingest
from regraft.curation.extraction.extract import Extract, ExtractConfig, extract_text
from tests.corpus.given import corpus, digest_of, documents_of, make, rejects_of

SAMPLES = Path(regraft.recipes.__path__[0]) / "samples" / "debian"
HTML = json.dumps({"format": "html"})


def page(body: str) -> Document:
    return Document(id="a", text=f"<html><body>{body}</body></html>", source="s", meta=HTML)


def text_of(outcome: Outcome) -> str:
    assert not isinstance(outcome, Reject), outcome
    return (outcome.document if isinstance(outcome, Changed) else outcome).text


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
    assert (extract_text.version, digest_of(faq)) == (5, "ead9f9e6d3e8af71")


def test_boxes_and_lists_of_the_handbook_are_in_the_text_and_its_navigation_is_not() -> None:
    """Of this page, main content extraction by itself leaves less than half."""
    html = (SAMPLES / "en" / "handbook" / "sect.syslog.html").read_text("utf-8")
    made = text_of(Extract(ExtractConfig())(Document(id="a", text=html, source="s", meta=HTML)))
    assert made.count("BACK TO BASICS") == html.count("BACK TO BASICS") == 1
    assert not {"Prev", "Next", "Download the ebook"} & {line.strip(" •\t") for line in made.splitlines()}


def test_code_and_tables_are_kept_as_text() -> None:
    code = "<pre>def graft():\n    <b>return</b> 1\n</pre><table><tr><td>a</td><td>b</td></tr></table>"
    made = text_of(
        Extract(ExtractConfig())(page(f"<nav><a href='/'>Home</a></nav><main><p>Some words.</p>{code}</main>"))
    )
    assert "def graft():\n    return 1" in made
    assert [cell.strip() for cell in made.splitlines()[-1].split("\t") if cell] == ["a", "b"]
    assert "Home" not in made


def test_numbers_of_lines_are_no_code() -> None:
    numbered = "<table><tr><td class='linenos'><pre>1\n2</pre></td><td><pre>a:\n  b</pre></td></tr></table>"
    assert text_of(Extract(ExtractConfig())(page(f"<p>Code:</p>{numbered}"))) == "Code:\n\na:\n  b"


def test_captions_are_text() -> None:
    made = text_of(
        Extract(ExtractConfig())(page("<p>A</p><figure><img alt='no' src=x><figcaption>Shown</figcaption></figure>"))
    )
    assert "Shown" in made
    assert "no" not in made


def test_what_has_no_text_or_too_much_is_rejected() -> None:
    assert Extract(ExtractConfig())(page("<script>1</script>")) == Reject("no_text")
    assert Extract(ExtractConfig(max_characters=9))(page("")) == Reject("too_large", "26 characters")
    broken = Extract(ExtractConfig())(page("\ufffd" * 10))
    assert broken == Reject("broken_encoding", "0.278 of the characters could not be decoded")


def test_pages_that_would_take_long_are_rejected_unparsed() -> None:
    """Parsed, these would take minutes, and the second gigabytes."""
    kernel = Extract(ExtractConfig())
    assert kernel(page("<div>" * 100_000)) == Reject("too_deep", "more than 512 elements inside each other")
    assert kernel(page("".join(f"<font size={n}>" for n in range(400)) + "<p>a" * 50_000)) == Reject(
        "too_deep", "more than 100,000,000 characters, times the elements around each"
    )
    flat = "<div><p>Some words<p>and more<br></div>" * 50
    assert isinstance(Extract(ExtractConfig(max_depth=1))(page(flat)), Document)


def test_what_was_mended_is_counted() -> None:
    made = Extract(ExtractConfig())(page("<p>Skip to content</p><p>A cafÃ© here.</p>"))
    assert isinstance(made, Changed)
    assert (made.document.text, made.counts) == ("A café here.", {"repaired_encoding": 1, "boilerplate_lines": 1})


def test_trafilatura_is_an_option() -> None:
    pytest.importorskip("trafilatura")
    words = "<p>" + "Some words of a page that has enough of them. " * 10 + "</p>"
    made = text_of(
        Extract(ExtractConfig(extractor="trafilatura"))(page(f"<main>{words}<p>so <math><mi>x</mi></math></p></main>"))
    )
    assert made.startswith("Some words of a page")
    assert made.endswith("so x")


def test_other_documents_are_only_normalised(tmp_path: Path) -> None:
    given_text = "A <b> tag\r\n\r\n\r\n\r\nin plain\u00a0text \u200b\x00\n"
    made = make(
        extract_text.step("text", ExtractConfig(), docs=corpus([Document(id="a", text=given_text, source="s")])),
        tmp_path,
    )
    assert documents_of(made)[0]["text"] == "A <b> tag\n\nin plain text"


@pytest.mark.parametrize(
    "wrong", [{"max_depth": 0}, {"extractor": "lynx"}, {"max_broken_share": 2}, {"max_seconds": -1}]
)
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ExtractConfig(**wrong)  # type: ignore[arg-type]
