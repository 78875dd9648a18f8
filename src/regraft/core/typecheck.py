"""Check the fields of a config against their annotations, before anything runs.

Frozen dataclasses do not check types; a learning rate given as the string `"1e-4"` would otherwise fail minutes into
a run. Only what can be decided is checked: protocols and type variables pass.
"""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from regraft.core.errors import ConfigError


def check_fields(config: Any, place: str = "config") -> None:
    """Return if every field of the dataclass `config`, and of those inside it, has the type that it declares.

    Raises:
        ConfigError: names the field, the declared type and the value.
    """
    hints = _hints(type(config))
    for field in dataclasses.fields(config):
        _check(getattr(config, field.name), hints[field.name], f"{place}.{field.name}")


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _check(value: Any, declared: Any, place: str) -> None:
    if get_origin(declared) is tuple and isinstance(value, tuple):
        for i, (item, item_type) in enumerate(_pairs(value, get_args(declared), place)):  # pyright: ignore[reportUnknownArgumentType]
            _check(item, item_type, f"{place}[{i}]")
    elif not _matches(value, declared):
        raise ConfigError(f"{place} is {value!r} ({type(value).__name__}), but {_name(declared)} is asked for.")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        check_fields(value, place)


def _pairs(value: tuple[Any, ...], args: tuple[Any, ...], place: str) -> list[tuple[Any, Any]]:
    if len(args) == 2 and args[1] is Ellipsis:
        return [(item, args[0]) for item in value]
    if len(value) != len(args):
        raise ConfigError(f"{place} has {len(value)} items, but {len(args)} are asked for.")
    return list(zip(value, args, strict=True))


def _matches(value: Any, declared: Any) -> bool:
    origin, args = get_origin(declared), get_args(declared)
    if declared is Any or declared is None:
        return declared is Any or value is None
    if origin in (Union, types.UnionType):
        return any(_matches(value, arg) for arg in args)
    if origin is Literal:
        return value in args
    if origin is tuple:
        return isinstance(value, tuple)
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(_matches(v, args[1]) for v in value.values())  # pyright: ignore[reportUnknownVariableType]
    if origin is not None and issubclass(origin, Sequence):
        return isinstance(value, Sequence) and all(_matches(v, args[0]) for v in value)  # pyright: ignore[reportUnknownVariableType]
    if declared is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if declared is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return _is_instance(value, declared)


def _is_instance(value: Any, declared: Any) -> bool:
    if not isinstance(declared, type):
        return True
    if getattr(declared, "_is_protocol", False):
        methods = [name for name in vars(declared) if callable(getattr(declared, name)) and not name.startswith("_")]
        return all(callable(getattr(value, name, None)) for name in methods)
    return isinstance(value, declared)


def _name(declared: Any) -> str:
    return declared.__name__ if isinstance(declared, type) and not get_args(declared) else str(declared)
