import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.corpus.document import Document, Outcome, Reject
from regraft.curation.filters.code import CodeQuality
from regraft.curation.filters.view import View
from tests.curation.prose import document

PYTHON = 'def graft(shoot, root):\n    """Return a tree."""\n    return Tree(root.cut(), shoot)\n'
HTML = (
    "<html><style>p {color: red}</style><body>" + "<p>A graft joins a young shoot to an old root.</p>\n" * 4 + "</body>"
)


def judged(text: str, language: str = "") -> Outcome:
    meta = json.dumps({"programming_language": language} if language else {})
    given_document = document(text, meta=meta)
    outcome = CodeQuality().check(given_document, View(text))
    return outcome if isinstance(outcome, Reject) else document(outcome.text)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (PYTHON, ""),
        (PYTHON, "Python"),
        (HTML, "HTML"),
        ('{"root": "old", "shoot": "young", "grafted": true, "years": 2000}', "JSON"),
        ('<?xml version="1.0"?>\n<xsl:stylesheet version="1.0">\n</xsl:stylesheet>', "XSLT"),
    ],
)
def test_code_that_people_wrote_stays(text: str, language: str) -> None:
    assert judged(text, language) == document(text)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (PYTHON + "#" * 1001, "", Reject("long_line", "1,001 characters in the longest line; at most 1,000 allowed")),
        (
            "\n".join(["var x = 1;" * 12] * 3),
            "",
            Reject("long_lines", "120 characters a line in the mean; at most 100 allowed"),
        ),
        (
            "10x, 203, 3.14,\n" * 9,
            "C",
            Reject("few_letters", "0.06 of the characters are letters; at least 0.25 asked for"),
        ),
        ('<?xml version="1.0"?>\n<svg>path</svg>', "", Reject("xml", "in a file said to be of unknown language")),
        (
            "<html><script>grow(trees)</script><b>Root</b></html>",
            "html",
            Reject("little_visible_text", "4 of 52 characters are seen; at least 100 asked for"),
        ),
        ('{"root": "old"}', "json", Reject("data", "json of 15 characters; at least 50 asked for")),
        (
            "- old root and young shoot\n" * 200,
            "YAML",
            Reject("data", "yaml of 5400 characters; at most 5,000 allowed"),
        ),
        ("\n \n", "", Reject("no_lines")),
    ],
)
def test_each_rule_drops_what_it_is_for(text: str, language: str, expected: Reject) -> None:
    assert judged(text, language) == expected


def test_time_grows_with_length_even_for_hostile_pages() -> None:
    for unit in ("<script>", "<!--", "<a", "</"):
        CodeQuality(max_line=10**7, max_mean_line=10**7, min_alphabetic_share=0).check(
            document(unit * 100_000, meta='{"programming_language": "html"}'), View(unit * 100_000)
        )


@given(st.text(alphabet="a1 <>{}\n\r", max_size=60), st.sampled_from(["", "html", "json"]))
def test_never_raises(text: str, language: str) -> None:
    assert isinstance(judged(text, language), Document | Reject)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError):
        CodeQuality(min_data=9, max_data=8)
