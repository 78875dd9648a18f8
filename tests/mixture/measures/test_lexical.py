import math
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.mixture.measures.lexical import compression_ratio, lexical_diversity, math_density

words = st.lists(st.sampled_from("abcdefgh"), max_size=60)


def test_mtld_of_texts_counted_by_hand() -> None:
    assert lexical_diversity(list("ababab"), 0.72) == 3  # two factors of three words, either way
    # forward: "a a" is a factor, "b" none; backward: "b a a" is one with 2/3; 3 words / 1 either way
    assert lexical_diversity(list("aab"), 0.72) == 3
    # either way four words of which three are types, 3/4: (1 - 3/4) / (1 - 0.72) of a factor
    assert lexical_diversity(list("abca"), 0.72) == pytest.approx(4 * 0.28 / 0.25)
    # forward: "b a a" is a factor, "c d" is none; backward: "d c a a" has 3/4, "b" makes it 4/5
    assert lexical_diversity(list("baacd"), 0.72) == pytest.approx((5 / 1 + 5 * 0.28 / 0.2) / 2)


@pytest.mark.parametrize("given_words", [[], ["one"], ["all", "are", "new"]])
def test_without_a_repeated_word_mtld_is_not_defined(given_words: list[str]) -> None:
    assert math.isnan(lexical_diversity(given_words, 0.72))


@given(words, st.floats(0.1, 0.9))
def test_mtld_is_the_same_backward_and_positive(given_words: list[str], threshold: float) -> None:
    found = lexical_diversity(given_words, threshold)
    assert found == pytest.approx(lexical_diversity(given_words[::-1], threshold), nan_ok=True)
    assert math.isnan(found) == (len(set(given_words)) == len(given_words))
    assert math.isnan(found) or found > 0


def test_mtld_hardly_grows_with_the_text() -> None:
    text = [f"w{i * i % 97 % 23}" for i in range(4000)]
    short, long = lexical_diversity(text[:400], 0.72), lexical_diversity(text, 0.72)
    assert long == pytest.approx(short, rel=0.05)
    assert len(set(text)) / len(text) < 0.2 * len(set(text[:400])) / 400, "as the plain ratio falls"


@given(st.text(min_size=1), st.integers(1, 9))
def test_the_compression_ratio_is_that_of_the_bytes(text: str, level: int) -> None:
    size = len(text.encode())
    assert compression_ratio(text, level) * size == pytest.approx(len(zlib.compress(text.encode(), level)))


def test_a_text_that_repeats_itself_is_compressed_more() -> None:
    varied = " ".join(f"{i * 7919 % 10007:x}" for i in range(200))
    assert compression_ratio("the same words " * 60, 6) < 0.1 < compression_ratio(varied, 6)
    assert math.isnan(compression_ratio("", 6))


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("x = 2 + 3", 4 / 5),
        ("1 ≤ n²", 3 / 4),
        ("第3章 数学", 1 / 5),
        ("well-known and/or *bold*", 0),
        ("  ", math.nan),
        ("", math.nan),
    ],
)
def test_digits_and_mathematical_signs_are_counted(text: str, share: float) -> None:
    assert math_density(text) == pytest.approx(share, nan_ok=True)
