import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError
from regraft.synthesis.corruption.answers import options
from regraft.synthesis.corruption.corrupt import (
    AnswerSwap,
    Corruption,
    Draw,
    DroppedReasoning,
    FrequentWordSubstitution,
    NumberSubstitution,
    OptionShuffle,
    Original,
    SymbolSubstitution,
)

DRAW = Draw(0, "d")
PROBLEM = "A train goes 120.5 km in 2 hours. How fast is the train?\n\n"
TEXT = PROBLEM + "1. The train goes 120.5 / 2 = 60.25 km.\nStep 2. So the answer is 60.25 km an hour."
ORIGINAL = Original(text=TEXT, start=len(PROBLEM), donor="It is blue.", donor_id="e")
KINDS: tuple[Corruption, ...] = (
    NumberSubstitution(),
    NumberSubstitution(share=0.3, part="solution"),
    FrequentWordSubstitution(),
    SymbolSubstitution(),
    AnswerSwap(),
    OptionShuffle(),
    DroppedReasoning(),
)
PIECES = st.sampled_from(
    [
        *["12", "3.5", "1,024", "train", "Train", "内核", "进程", "x=1", "≤", "90%", "the", "。", "Thus"],
        " ",
        "\n",
        "\n\n",
        ". ",
        "a + b",
        r"\times ",
        "A. one ",
        "B. two ",
        "C. three ",
        "\n1. ",
        r"\boxed{4}",
    ]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join)


@given(text=TEXTS, seed=st.integers(0, 3), data=st.data())
def test_whatever_is_given_back_differs_and_is_the_same_again(text: str, seed: int, data: st.DataObject):
    start = data.draw(st.integers(0, max(len(text) - 1, 0)))
    original = Original(text=text, start=start, donor="another answer", donor_id="e")
    for kind in KINDS:
        made = kind.corrupt(original, Draw(seed, "d"))
        assert made == kind.corrupt(original, Draw(seed, "d"))
        if made is not None:
            assert made.text != text
            assert bool(made.start) == bool(start)
            changes_problem = isinstance(kind, OptionShuffle) or getattr(kind, "part", "solution") == "pair"
            assert changes_problem or made.text[: made.start] == text[:start]


@given(text=TEXTS, low=st.floats(0.05, 1), high=st.floats(0.05, 1))
def test_a_larger_share_does_all_that_a_smaller_one_does(text: str, low: float, high: float):
    low, high = sorted((low, high))
    less, more = (NumberSubstitution(share=s).corrupt(Original(text=text), DRAW) for s in (low, high))
    assert (less is None) == (more is None) == (re.search(r"\d", re.sub(r"(?m)^\s*\d+[.):]\s", "", text)) is None)
    if less and more:  # numbers keep their length, so places can be compared
        assert len(less.text) == len(more.text) == len(text)
        assert all(b == c for a, b, c in zip(text, less.text, more.text, strict=True) if a != b)


def test_shares_of_many_places_are_nested():
    text = " ".join(map(str, range(10, 50)))
    before: set[int] = set()
    for share in (0.1, 0.25, 0.5, 0.75, 1.0):
        made = NumberSubstitution(share=share).corrupt(Original(text=text), DRAW)
        assert made is not None
        pairs = zip(text.split(), made.text.split(), strict=True)
        changed = {n for n, (old, new) in enumerate(pairs) if old != new}
        assert len(changed) == 40 * share
        assert before <= changed
        before = changed


@given(text=TEXTS)
def test_numbers_keep_their_form_and_all_else_stays(text: str):
    made = NumberSubstitution().corrupt(Original(text=text), DRAW)
    if made is not None:
        assert re.sub(r"[0-9]", "#", made.text) == re.sub(r"[0-9]", "#", text)


def test_numbers():
    made = NumberSubstitution().corrupt(ORIGINAL, DRAW)
    assert made is not None
    assert made.detail == "6 of 6"
    before, after = (re.findall(r"[\d.]*\d", text) for text in (TEXT, made.text))
    assert [a == b for a, b in zip(before, after, strict=True)] == [
        False,
        False,
        True,
        False,
        False,
        False,
        True,
        False,
    ]


def test_only_the_solution_can_be_damaged():
    for kind in (NumberSubstitution(part="solution"), FrequentWordSubstitution(part="solution", share=1)):
        made = kind.corrupt(ORIGINAL, DRAW)
        assert made is not None
        assert made.text.startswith(PROBLEM)
        assert kind.corrupt(Original(text=TEXT), DRAW) is None


def test_frequent_words_take_each_others_places_in_their_case():
    made = FrequentWordSubstitution(share=1).corrupt(Original(text="Train kernel TRAIN kernel the the x9"), DRAW)
    assert made is not None
    assert made.text == "Kernel train KERNEL train the the x9"
    assert FrequentWordSubstitution().corrupt(Original(text="train train the the kernel"), DRAW) is None
    chinese = FrequentWordSubstitution(share=1).corrupt(Original(text="内核的核内的"), DRAW)
    assert chinese is not None
    assert chinese.text == "核内的内核的"


def test_the_place_of_the_solution_follows_the_text():
    original = Original(text="aaa bbbbb aaa bbbbb\n\naaa bbbbb", start=21)
    made = FrequentWordSubstitution(share=0.2).corrupt(original, DRAW)
    assert made is not None
    assert made.detail == "2 of 6"
    assert made.text[: made.start].endswith("\n\n")


@pytest.mark.parametrize(
    "text", ["3 + 4", "x = 4", "(a)^2", "2*3", r"2 \times 3", "a ≤ b", "90%", "5-3", "a=1", "f(x)=2"]
)
def test_symbols_of_mathematics_are_found(text: str):
    made = SymbolSubstitution().corrupt(Original(text=text), DRAW)
    assert made is not None
    assert re.findall(
        r"\w+", made.text.replace(r"\cdot", r"\times").replace(r"\div", r"\times").replace(r"\pm", r"\times")
    ) == (re.findall(r"\w+", text))


@pytest.mark.parametrize(
    "text", ["well-known", "and/or", "- item\n* item\n> quoted", "**bold**", "a -> b", "C++", r"\timestep"]
)
def test_punctuation_is_no_symbol(text: str):
    assert SymbolSubstitution().corrupt(Original(text=text), DRAW) is None


def test_answers_are_those_of_the_donor():
    made = AnswerSwap().corrupt(ORIGINAL, DRAW)
    assert made is not None
    assert (made.text, made.parents) == (f"{PROBLEM}It is blue.", ("e",))
    assert AnswerSwap().corrupt(Original(text=TEXT, donor="x"), DRAW) is None
    assert AnswerSwap().corrupt(Original(text=TEXT, start=3), DRAW) is None


@pytest.mark.parametrize(
    ("problem", "texts"),
    [
        ("Which?\nA. one\nB. two\nC. three\n", ["one", "two", "three"]),
        ("Which? (A) one (B) two", ["one", "two"]),
        ("哪个？\nA、一\nB、二\n请选择。", ["一", "二"]),
        ("Which?\nA. one", []),
        ("Which?\nB. two\nC. three", []),
        ("Which? A. B. two", []),
        ("HA. one B. two", []),
    ],
)
def test_options(problem: str, texts: list[str]):
    assert [problem[start:stop] for start, stop in options(problem)] == texts


@given(seed=st.integers(0, 50))
def test_no_option_keeps_its_letter(seed: int):
    text = "Which?\nA. one\nB. two\nC. three\n\nB, since two is even."
    made = OptionShuffle().corrupt(Original(text=text, start=32), Draw(seed, "d"))
    assert made is not None
    turned = re.findall(r"(?m)^[A-C]\. (\w+)$", made.text)
    assert sorted(turned) == ["one", "three", "two"]
    assert all(a != b for a, b in zip(turned, ["one", "two", "three"], strict=True))
    assert made.text.endswith(text[32:])


@pytest.mark.parametrize(
    ("solution", "left"),
    [
        ("Add them. So the answer is 2. Check it again.", "So the answer is 2."),
        ("1. Add 2.5 and 1.\n2. It is 3.5.", "2. It is 3.5."),
        ("先相加。因此得到二。完成。", "因此得到二。"),
        (r"We get \boxed{2}. Nice!", r"We get \boxed{2}."),
    ],
)
def test_the_result_is_all_that_stays_of_a_solution(solution: str, left: str):
    made = DroppedReasoning().corrupt(Original(text=f"What?\n\n{solution}", start=7), DRAW)
    assert made is not None
    assert made.text == f"What?\n\n{left}"


def test_a_solution_of_one_sentence_has_no_reasons():
    assert DroppedReasoning().corrupt(Original(text="What?\n\nIt is 2.", start=7), DRAW) is None
    assert DroppedReasoning().corrupt(Original(text="What? It is. It is 2."), DRAW) is None


def test_shares_are_shares():
    with pytest.raises(ConfigError, match="number_substitution"):
        NumberSubstitution(share=0)
