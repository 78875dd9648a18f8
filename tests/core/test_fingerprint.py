import enum
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.core import ConfigError, canonical, fingerprint
from regraft.core.fingerprint import differences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@dataclass(frozen=True)
class Short:
    pattern: Any = "a"


@dataclass(frozen=True)
class Long:
    pattern: Any = "a"


@dataclass
class Changeable:
    x: int = 1


class Colour(enum.Enum):
    RED = 1


def test_known_value_is_pinned() -> None:
    value = {"b": (1, 2.5), "a": Short(pattern=None), "c": Colour.RED, "d": "汉"}
    assert fingerprint(value) == "16a05b8b957a287dc2baa5c265326ec603dfb4b24a0af17470d7fdffa1e44ca2"


@given(JSON)
def test_equal_values_are_equal(value: Any) -> None:
    assert fingerprint(value) == fingerprint(canonical(value))


def test_forms_that_mean_the_same() -> None:
    assert fingerprint((1, 2)) == fingerprint([1, 2])
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint(1.0) == fingerprint(1)


@pytest.mark.parametrize(
    ("a", "b"), [(True, 1), (Short(), Long()), ("1", 1), (None, ""), ((1, (2,)), ((1, 2),)), (0.1, 0.2)]
)
def test_forms_that_mean_something_else(a: Any, b: Any) -> None:
    assert fingerprint(a) != fingerprint(b)


def test_a_class_of_a_user_is_never_taken_for_one_of_ours() -> None:
    from regraft.mixture.controllers import Fixed as Ours

    @dataclass(frozen=True)
    class Fixed:
        pass

    Fixed.__qualname__ = "Fixed"
    assert canonical(Ours()) == {"!": "Fixed"}
    assert fingerprint(Fixed()) != fingerprint(Ours())


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (Short(pattern=math.nan), "config.pattern"),
        (Short(pattern=(1, math.inf)), r"config.pattern\[1\]"),
        (Short(pattern=Path("x")), "config.pattern is a PosixPath"),
        (Short(pattern={1: 2}), "config.pattern has the key 1"),
        (Short(pattern={"k": {1, 2}}), r"config.pattern\['k'\] is a set"),
        (Short(pattern=lambda: 1), "config.pattern is a function"),
        (Short(pattern=Changeable()), "config.pattern is a Changeable, a dataclass that can change"),
        (Short(pattern=int), "config.pattern is a type"),
    ],
)
def test_unstable_values_are_refused_by_place(value: Any, place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        fingerprint(value)


def test_differences_name_the_place() -> None:
    old, new = canonical({"lr": 0.1, "f": (Short(), 2), "gone": 1}), canonical({"lr": 0.2, "f": (Long(), 2), "more": 3})
    assert differences(old, new) == [
        "config.more is new: 3",
        "config.gone is gone",
        f"config.f[0] {__name__}.Short -> {__name__}.Long",
        "config.lr 0.1 -> 0.2",
    ]
    assert differences(old, old) == []
