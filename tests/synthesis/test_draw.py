from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.synthesis.draw import Draw, Item, shares, time


def _draw(
    groups: dict[str, list[list[Item[str]]]], count: int, seed: int = 0, floor: float = 1.0
) -> list[tuple[str, str]]:
    draw = Draw[str](count, seed, floor)
    for name, documents in groups.items():
        for items in documents:
            draw.offer(name, items)
    return draw.drawn()


def _items(document: str, count: int, weight: float = 1.0) -> list[Item[str]]:
    return [Item(f"{document} {n}", weight, f"{document} {n}") for n in range(count)]


def test_groups_take_turns_and_documents_too_whatever_the_order():
    groups = {"a": [_items(f"a{d}", 3) for d in range(4)], "b": [_items("b0", 1)]}
    drawn = _draw(groups, 7)
    assert [name for name, _ in drawn] == ["a", "b", "a", "a", "a", "a", "a"]
    assert len({value.split()[0] for name, value in drawn[:5] if name == "a"}) == 4
    turned = {"b": groups["b"], "a": groups["a"][::-1]}
    assert _draw(turned, 7) == drawn
    assert _draw(groups, 7, seed=2) != drawn
    assert len(_draw(groups, 100)) == 13


def test_the_first_one_drawn_is_drawn_by_weight():
    first = Counter(
        _draw({"g": [[Item(f"{n}", w, f"{n}")] for n, w in enumerate((1.0, 2.0, 5.0))]}, 1, seed=s)[0][1]
        for s in range(4000)
    )
    assert [first[str(n)] / 4000 for n in range(3)] == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.03)


def test_a_weak_group_gets_more_and_every_group_its_floor():
    groups = {
        "weak": [_items(f"w{d}", 1, 9.0) for d in range(200)],
        "known": [_items(f"k{d}", 1, 1.0) for d in range(200)],
    }
    for floor, known in ((0.0, 10), (0.4, 26), (1.0, 50)):
        assert Counter(name for name, _ in _draw(groups, 100, floor=floor))["known"] == pytest.approx(known, abs=1)


def test_what_a_group_lacks_comes_from_the_others():
    groups = {"weak": [_items("w", 5, 9.0)], "known": [_items(f"k{d}", 1) for d in range(50)]}
    drawn = Counter(name for name, _ in _draw(groups, 40, floor=0.1))
    assert drawn == {"weak": 5, "known": 35}


def test_memory_is_for_count_items_of_a_group():
    draw = Draw[str](3, 0)
    for document in range(1000):
        draw.offer("g", _items(str(document), 2))
    assert len(draw._first["g"]) == 3
    assert draw.sizes == {"g": 2000}


@given(st.dictionaries(st.text(max_size=3), st.floats(1e-3, 1e3), min_size=1), st.floats(0, 1))
def test_shares_sum_to_one_above_their_floor(weights: dict[str, float], floor: float):
    found = shares(weights, floor)
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) >= floor / len(weights) - 1e-12


def test_time_is_shorter_for_a_heavier_item():
    assert time(0, "x", 2.0) == pytest.approx(time(0, "x", 1.0) / 2)
