import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.corpus.document import Document
from regraft.curation.language.script import Convert, ConvertConfig, convert_script, script
from tests.corpus.given import corpus, digest_of, documents_of, make

HANS = "软件自由不是价格的问题。要理解这个概念，应该把它当作言论自由。"
HANT = "軟體自由不是價格的問題。要理解這個概念，應該把它當作言論自由。"


def document(text: str, language: str = "zh", id_: str = "a") -> Document:
    return Document(id=id_, text=text, source="s", language=language)


def test_the_two_scripts_are_told_apart() -> None:
    assert script(HANS) == ("Hans", 1.0)
    assert script(HANT) == ("Hant", 1.0)
    assert script(HANS + HANT)[0] == ""
    assert script("中文") == script("English") == ("", 0.0)


def test_characters_that_both_have_do_not_count() -> None:
    assert script("皇后在後面" + HANT)[0] == "Hant"
    assert script("后里面发了台几") == ("", 0.0)


def test_converted_documents_say_so(tmp_path: Path) -> None:
    given_documents = [document(HANT), document(HANS, id_="b"), document("漢字", "ja", "c")]
    made = make(convert_script.step("hans", ConvertConfig(), docs=corpus(given_documents)), tmp_path)
    rows = documents_of(made)
    assert [row["text"] for row in rows] == [HANS.replace("软件", "软体"), HANS, "漢字"]
    assert json.loads(rows[0]["meta"]) == {"script": "Hans"}
    assert made.manifest.metrics["changed.converted"] == 1
    assert (convert_script.version, digest_of(made)) == (1, "0b275e97c6236faa")


@given(st.text(alphabet=HANT))
def test_conversion_is_done_once(text: str) -> None:
    kernel = Convert(ConvertConfig())
    once = kernel(document(text))
    first = once if isinstance(once, Document) else once.document
    assert kernel(first) == first


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="OpenCC has"):
        ConvertConfig(conversion="x")  # type: ignore[arg-type]
