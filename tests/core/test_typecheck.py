from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import pytest

from regraft.core import ConfigError
from regraft.core.typecheck import check_fields


class Filter(Protocol):
    def reason(self, text: str) -> str: ...


@dataclass(frozen=True)
class Minimum:
    size: int = 1

    def reason(self, text: str) -> str:
        return "" if len(text) >= self.size else "short"


@dataclass(frozen=True)
class NoFilter:
    size: int = 1


@dataclass(frozen=True)
class Config:
    rate: float = 1.0
    steps: int = 1
    mode: Literal["a", "b"] = "a"
    name: str | None = None
    filters: tuple[Filter, ...] = ()
    pair: tuple[int, str] = (1, "x")
    inner: Minimum = field(default_factory=Minimum)


def test_right_types_pass() -> None:
    check_fields(Config(rate=1, mode="b", name="x", filters=(Minimum(), Minimum())))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": "1e-4"}, r"config.rate is '1e-4' \(str\), but float is asked for"),
        ({"steps": 1.5}, "config.steps is 1.5"),
        ({"steps": True}, "config.steps is True"),
        ({"mode": "c"}, "config.mode is 'c'"),
        ({"name": 3}, "config.name is 3"),
        ({"filters": [Minimum()]}, "config.filters"),
        ({"filters": (Minimum(), NoFilter())}, r"config.filters\[1\] is NoFilter"),
        ({"filters": (Minimum(size="big"),)}, r"config.filters\[0\].size is 'big'"),  # pyright: ignore[reportArgumentType]
        ({"pair": (1,)}, "config.pair has 1 items, but 2"),
        ({"inner": Minimum(size="x")}, "config.inner.size"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_wrong_types_are_refused_by_place(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_fields(Config(**wrong))
