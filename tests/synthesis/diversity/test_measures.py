import math

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from regraft.synthesis.diversity.measures import Sampled, entropy, lengths, measures, near_duplicates, opening, openings
from regraft.synthesis.diversity.self_bleu import self_bleu
from regraft.synthesis.measures import words
from regraft.synthesis.pairs import Pair

TEXTS = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=9), min_size=2, max_size=6)


@given(texts=TEXTS)
def test_self_bleu_is_the_mean_of_sacrebleu_with_all_others_as_references(texts: list[list[str]]):
    said = [" ".join(text) for text in texts]
    scores = [
        sacrebleu.sentence_bleu(said[n], said[:n] + said[n + 1 :], tokenize="none").score for n in range(len(said))
    ]
    assert self_bleu(texts) == pytest.approx(sum(scores) / len(scores) / 100)


def test_self_bleu_of_copies_and_of_strangers():
    assert self_bleu([["a", "b", "c", "d"]] * 3) == pytest.approx(1)
    assert self_bleu([["a", "b"], ["c", "d"]]) == 0
    assert math.isnan(self_bleu([["a"]]))
    assert self_bleu([[], ["a"], ["a"]]) == pytest.approx(2 / 3)


def item(problem: str, solution: str = "") -> Sampled:
    return Sampled(f"{problem} {solution}", Pair(problem=problem, solution=solution) if solution else None)


def test_measures_of_a_sample():
    found = measures([item("a b c d e f", "g h"), item("a b c d e f", "g h"), item("x y")], 0.6)
    assert found["distinct_1"] == pytest.approx(10 / 18)
    assert found["distinct_2"] == pytest.approx(8 / 15)
    assert found["distinct_3"] == pytest.approx(6 / 12)
    assert found["near_duplicates"] == pytest.approx(1 / 3)
    assert found["with_solution"] == pytest.approx(2 / 3)
    assert found["self_bleu"] == pytest.approx(2 / 3)


def test_what_repeats_is_compressed():
    same, other = (
        [item(text) for text in texts] for texts in (["a mirror holds a copy"] * 50, map(str, range(9**9, 9**9 + 50)))
    )
    assert measures(same, 0.6)["compression_ratio"] < 0.1 < measures(other, 0.6)["compression_ratio"]


def test_near_duplicates_are_those_of_earlier_texts():
    assert near_duplicates(["a b c d e f g", "a b c d e f h", "x"], 0.5) == pytest.approx(1 / 3)
    assert near_duplicates(["a b c d e f g", "a b c d e f h", "x"], 0.51) == 0


def test_entropy():
    assert entropy({"a": 2, "b": 2}) == 1
    assert entropy({"a": 5}) == 0
    assert math.isnan(entropy({}))


def test_openings_are_counted_most_frequent_first():
    sample = [
        item("What is the kernel?", "It."),
        item("What is the shell?", "It."),
        item("Why?"),
        item("什么是内核？", "它。"),
    ]
    assert openings(sample) == [("what is the", 2), ("why", 1), ("什么是", 1)]
    assert opening("") == ""


def test_lengths_are_bands_without_gaps():
    sample = [item("one", "two words"), item("one", " ".join("x" * 9)), item("alone here now")]
    assert list(lengths(sample)) == [
        ("problem_words", "1", 2),
        ("solution_words", "2 to 3", 1),
        ("solution_words", "4 to 7", 0),
        ("solution_words", "8 to 15", 1),
        ("text_words", "2 to 3", 1),
    ]


@given(st.integers(0, 300))
def test_a_band_holds_its_number_of_words(count: int):
    ((_, label, _),) = lengths([item(" ".join("x" * count))])
    low, _, high = label.partition(" to ")
    assert int(low) <= count == len(words(" ".join("x" * count))) <= int(high or low)
