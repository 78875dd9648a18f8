from hypothesis import given
from hypothesis import strategies as st

from regraft.curation.filters.view import Repeats, View, repeats


def test_splits_of_a_text() -> None:
    view = View(" One line.\n\nTwo\n  two  \n \n\n软件\n")
    assert view.words == ["One", "line", ".", "Two", "two", "软", "件"]
    assert view.lines == ["One line.", "Two", "two", "软件"]
    assert view.paragraphs == ["One line.", "Two\n  two", "软件"]
    assert (view.num_cjk, view.mostly_cjk, view.num_words(2)) == (2, False, 6)


def test_a_split_is_made_once() -> None:
    view = View("a b")
    assert view.words is view.words
    assert view.counts is view.counts


def test_only_what_stood_there_before_is_repeated() -> None:
    assert repeats(["ab", "c", "ab", "ab"]) == Repeats(2, 4)
    assert repeats(["ab", "c"]) == Repeats(0, 0)


@given(st.lists(st.sampled_from(["a", "bb", "ccc"])))
def test_repeats_as_counted_one_by_one(pieces: list[str]) -> None:
    again = [piece for i, piece in enumerate(pieces) if piece in pieces[:i]]
    assert repeats(pieces) == Repeats(len(again), sum(map(len, again)))
