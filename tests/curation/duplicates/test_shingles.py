import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.curation.duplicates import shingles as module
from regraft.curation.duplicates.shingles import jaccard, num_common, shingles
from regraft.curation.ngrams import Hashes
from tests.curation.grams import grams, similarity

WORDS = st.sampled_from(["root", "bark", "Leaf", "接", "枝到", "don't", "x-y", "é", "42", "--", "。", "\n", "\t "])
TEXTS = st.lists(st.lists(WORDS, max_size=20).map(" ".join), max_size=8)


def of(*texts: str) -> list[Hashes]:
    return list(shingles(texts))


def test_jaccard_of_worked_examples() -> None:
    def of_two(left: str, right: str) -> float:
        return jaccard(*of(left, right))

    assert of_two("a b c d e f", "A b, c d e f!") == 1.0
    assert of_two("a b c d e f", "a b c d e g") == pytest.approx(1 / 3)
    assert of_two("a b", "a b c") == 0.0
    assert of_two("接到老根上", "接 到 老 根 上。") == 1.0
    assert of_two("", "") == 0.0
    assert of_two("?", "!") == 0.0
    assert [len(hashes) for hashes in of("a b c d e f g", "a", "", "x x x x x x x")] == [3, 1, 0, 1]


@given(TEXTS)
def test_hashes_stand_for_the_grams_of_each_text(texts: list[str]) -> None:
    """Wherever a batch is cut, and whatever the neighbours of a text are."""
    hashes = of(*texts)
    spoken = [text if any(c.isalnum() for c in text) else "" for text in texts]
    for text, found in zip(spoken, hashes, strict=True):
        assert not text or len(found) == len(grams(text))
        assert (np.diff(found.astype(object)) > 0).all()
    for left, one in zip(spoken, hashes, strict=True):
        for right, two in zip(spoken, hashes, strict=True):
            if left and right:
                assert jaccard(one, two) == pytest.approx(similarity(left, right))


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join(f"w{n * k % 17}" for n in range(30 * k)) for k in range(1, 9)]
    whole = of(*texts)
    monkeypatch.setattr(module, "BATCH", 64)
    assert all((one == two).all() for one, two in zip(whole, of(*texts), strict=True))


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_common_is_the_intersection(left: set[int], right: set[int]) -> None:
    one, two = (np.array(sorted(side), np.uint64) for side in (left, right))
    assert num_common(one, two) == len(left & right)
