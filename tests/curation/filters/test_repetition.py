from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.corpus.document import Outcome, Reject
from regraft.curation.filters.repeated_ngrams import repeated_ngrams
from regraft.curation.filters.repetition import GopherRepetition
from regraft.curation.filters.view import View
from tests.curation.prose import CHINESE, ENGLISH, document, reason


def judged(text: str) -> Outcome:
    return GopherRepetition().check(document(text), View(text))


def numbered(count: int) -> str:
    return " ".join(f"word{i}" for i in range(count))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ENGLISH, ""),
        (CHINESE, ""),
        ("", ""),
        (f"{ENGLISH}\n\nHome\n\nHome\n\nHome", "repeated_paragraphs"),
        (f"{ENGLISH}\n\nother\n\nthird\n\n{ENGLISH}", "repeated_paragraph_characters"),
        (f"{ENGLISH}\nHome\nHome\nHome", "repeated_lines"),
        (f"{ENGLISH}\nother\nthird\n{ENGLISH}", "repeated_line_characters"),
        ("graft it " * 20 + numbered(60), "top_2_grams"),
        (" ".join(f"a long graft{i % 2} {i}" for i in range(40)), "top_2_grams"),
        (f"{ENGLISH} {ENGLISH}", "repeated_5_grams"),
        (f"{CHINESE}{CHINESE}", "repeated_5_grams"),
    ],
)
def test_each_rule_drops_what_it_is_for(text: str, expected: str) -> None:
    assert reason(judged(text)) == expected


def test_longer_ngrams_may_cover_less() -> None:
    once = "A graft joins a young shoot to an old root"
    text = f"{once} {numbered(27)} {once}"
    assert judged(text) == Reject(
        "repeated_10_grams", "0.12 of the characters are in 10-grams that stood there before; at most 0.1 allowed"
    )


def test_chinese_ngrams_are_longer() -> None:
    """Phrases of five characters that return are ordinary in Chinese."""
    text = CHINESE + "".join(f"；{CHINESE[i : i + 6]}" for i in (80, 60, 40, 20, 0))
    assert judged(text) == document(text)
    assert reason(GopherRepetition(characters_per_word=1.0).check(document(text), View(text))) == "repeated_5_grams"


def test_spaces_count_only_where_there_are_some() -> None:
    for words, spaces, characters in ((["a", "b"], True, 6), (["软", "件"], False, 4)):
        grams = next(repeated_ngrams(words * 2, Counter(words * 2), 2))
        assert grams.top_characters(spaces) == characters


def naive(words: list[str], size: int) -> tuple[int, int]:
    grams = [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
    gram, count = Counter(grams).most_common(1)[0]
    seen: set[tuple[str, ...]] = set()
    characters = place = 0
    while place < len(grams):
        if grams[place] in seen:
            characters, place = characters + len("".join(grams[place])), place + size
        else:
            seen.add(grams[place])
            place += 1
    return count * len(" ".join(gram)) if count > 1 else 0, characters


@given(st.lists(st.sampled_from(["a", "bb", "c", "dddd"]), max_size=60) | st.lists(st.sampled_from("ab"), max_size=60))
def test_figures_are_those_of_a_plain_count(words: list[str]) -> None:
    found = {
        grams.size: (grams.top_characters(spaces=True), grams.repeated_characters())
        for grams in repeated_ngrams(words, Counter(words), 10)
    }
    for size in range(2, min(10, len(words)) + 1):
        assert found.get(size, (0, 0)) == naive(words, size)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError):
        GopherRepetition(top_ngrams=((1, 0.2),))
