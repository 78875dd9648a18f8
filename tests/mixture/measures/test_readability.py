import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.mixture.measures.readability import num_syllables, reading_ease, sentence_length

SYLLABLES = {
    1: "the cat make makes asked don't through eight 1948 C++ see",
    2: "table tables wanted boxes water quickly reading houses into sentence don't-you",
    3: "syllable well-known-thing family understand",
    4: "information dictionary",
    5: "university examination experimental",
}


@pytest.mark.parametrize(("number", "given_words"), SYLLABLES.items())
def test_syllables_of_common_words(number: int, given_words: str) -> None:
    assert {word: num_syllables(word) for word in given_words.split()} == dict.fromkeys(given_words.split(), number)


@given(st.text(min_size=1, max_size=20))
def test_every_word_has_a_syllable(word: str) -> None:
    assert num_syllables(word) >= 1


def test_reading_ease_by_the_formula() -> None:
    assert reading_ease("The cat sat on the mat.", 1) == pytest.approx(206.835 - 1.015 * 6 - 84.6)
    two = "The cat sat. A table - the water table - was near."  # 10 words, 13 syllables
    assert reading_ease(two, 2) == pytest.approx(206.835 - 1.015 * 10 / 2 - 84.6 * 13 / 10)


def test_long_words_and_sentences_are_hard() -> None:
    easy = "We saw a dog. It ran to us."
    hard = "Constitutional interpretation necessitates considerable intellectual sophistication."
    assert reading_ease(hard, 1) < reading_ease(easy * 10, 1) < reading_ease(easy, 2)


def test_without_words_nothing_is_defined() -> None:
    assert math.isnan(reading_ease("", 0))
    assert math.isnan(reading_ease("... !", 1))
    assert math.isnan(sentence_length([], 1))


def test_sentence_length_is_words_a_sentence() -> None:
    assert sentence_length(["a", "b", "c"], 2) == 1.5
