import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.corpus.words import CJK, han_share, num_cjk, num_sentences, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's well-known, isn't it?", "It 's well - known , is n't it ?"),
        ("They'd've said 'no' ... cannot wait", "They 'd 've said ' no ' ... can not wait"),
        ("Mr. Smith, e.g. in the U.S. (p. 3).", "Mr. Smith , e.g. in the U.S. ( p. 3 ) ."),
        ("50% of 512MB cost $5, or 1,000.5!", "50 % of 512 MB cost $ 5 , or 1,000.5 !"),
        ("see https://example.org/a-b, or x@example.org.", "see https://example.org/a-b , or x@example.org ."),
        ("run --dry-run /usr/bin/apt C++ a.b.c", "run --dry - run /usr / bin / apt C++ a.b.c"),
        ("end.Start and/or one,two 1-2 ….", "end . Start and/or one , two 1 - 2 … ."),
        ("软件包, カナ! (apt)。", "软 件 包 , カ ナ ! ( apt ) 。"),
        ("Größe “naïve” l’été हिन्दी", "Größe “ naïve ” l’été हिन्दी"),
    ],
)
def test_marks_are_words_and_cjk_characters_too(text: str, expected: str) -> None:
    assert words(text) == expected.split()


@given(
    st.text(alphabet=st.characters(exclude_categories=("Cs",)) | st.sampled_from("a.'n't,-/ 中。\n@:5%"), max_size=80)
)
def test_nothing_but_space_is_lost(text: str) -> None:
    assert "".join(words(text)) == "".join(text.split())
    assert all(word and not re.search(f"[{CJK}]", word) for word in words(text) if len(word) > 1)


@given(st.lists(st.text(max_size=40)))
def test_what_is_remembered_changes_nothing(texts: list[str]) -> None:
    assert [words(text) for text in texts] == [words(text) for text in texts]


@pytest.mark.parametrize("unit", ["'s", "a.", ".).", "@a", "a-", "=+", "a.b@", "://", "中."])
def test_time_grows_with_length_even_for_hostile_text(unit: str) -> None:
    """Anything quadratic would take hours."""
    text = f"x{unit * 100_000})"
    assert "".join(words(text)) == text


def test_sentences() -> None:
    assert num_sentences("One. Two? “Three!” Four") == 4
    assert num_sentences("Version 1.2 of e.g. this") == 1
    assert num_sentences("一。二！三") == 3
    assert num_sentences(" ") == 0


def test_shares_of_scripts() -> None:
    assert num_cjk("ab软件カ한") == 4
    assert han_share("ab软件") == 0.5
    assert han_share("123") == 0.0
