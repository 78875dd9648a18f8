"""Identity: the SHA-256 of a canonical JSON form, refused for anything that has no stable form.

A permissive fallback such as `str(value)` would let an address or a set order slip into an identity and re-make work
at random, so an unknown value is an error that names its place.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

from regraft.core.errors import ConfigError

CLASS = "!"
"""Key under which a dataclass or enum leaves its class name, so that two filters with equal fields differ."""


def canonical(value: object, place: str = "config") -> Any:
    """Return `value` as plain JSON data that is equal exactly when the meaning is equal.

    Tuples and lists are one form, mappings are sorted by key, a whole float equals its integer (`1.0` and `1`), a
    dataclass or enum carries its class name.

    Raises:
        ConfigError: for NaN, infinity, paths, sets, functions and everything else without a stable form; the message
            names the place, for example `config.filters[0].pattern`.
    """
    match value:
        case Enum():
            return {CLASS: class_name(type(value)), "name": value.name}
        case None | bool() | int() | str():
            return value
        case float():
            return _canonical_float(value, place)
        case tuple() | list():
            return [canonical(item, f"{place}[{i}]") for i, item in enumerate(value)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case Mapping():
            return _canonical_mapping(value, place)  # pyright: ignore[reportUnknownArgumentType]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return _canonical_dataclass(value, place)
        case _:
            raise ConfigError(
                f"{place} is a {type(value).__name__}, which has no stable form. Use None, bool, int, float, str, "
                "tuple, list, a mapping with str keys, an enum or a frozen dataclass of these."
            )


def fingerprint(value: object, place: str = "config") -> str:
    """Return the identity of `value`: 64 hexadecimal digits, the same on every machine and in every process."""
    text = json.dumps(canonical(value, place), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def differences(old: Any, new: Any, place: str = "config") -> list[str]:
    """Say in words where two canonical forms differ, one line a place, in the order of the new form."""
    if isinstance(old, dict) and isinstance(new, dict):
        return _dict_differences(old, new, place)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):  # pyright: ignore[reportUnknownArgumentType]
        return [
            line for i, (a, b) in enumerate(zip(old, new, strict=True)) for line in differences(a, b, f"{place}[{i}]")
        ]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return [] if old == new else [f"{place} {_short(old)} -> {_short(new)}"]


def _canonical_float(value: float, place: str) -> int | float:
    if not math.isfinite(value):
        raise ConfigError(f"{place} is {value}, which has no stable form. Use a finite number.")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _canonical_mapping(value: Mapping[Any, object], place: str) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise ConfigError(f"{place} has the key {key!r} of type {type(key).__name__}. Keys must be str.")
    return {key: canonical(value[key], f"{place}[{key!r}]") for key in sorted(value)}


def _canonical_dataclass(value: Any, place: str) -> dict[str, Any]:
    cls: Any = type(value)
    if not cls.__dataclass_params__.frozen:
        raise ConfigError(f"{place} is a {cls.__qualname__}, a dataclass that can change. Declare it frozen=True.")
    fields = {f.name: canonical(getattr(value, f.name), f"{place}.{f.name}") for f in dataclasses.fields(value)}
    return {CLASS: class_name(cls), **fields}


def class_name(cls: Any) -> str:
    """Return the name of a class or function in identities: with its module, unless it is one of our own.

    Ours may move between modules; a user's `Fixed` is never taken for the one that comes with regraft.
    """
    ours = cls.__module__.partition(".")[0] == "regraft"
    return cls.__qualname__ if ours else f"{cls.__module__}.{cls.__qualname__}"


def _dict_differences(old: dict[str, Any], new: dict[str, Any], place: str) -> list[str]:
    if old.get(CLASS) != new.get(CLASS):
        return [f"{place} {_short(old)} -> {_short(new)}"]
    lines = [f"{place}.{key} is new: {_short(new[key])}" for key in new if key not in old]
    lines += [f"{place}.{key} is gone" for key in old if key not in new]
    return lines + [line for key in new if key in old for line in differences(old[key], new[key], f"{place}.{key}")]


def _short(value: Any) -> str:
    if isinstance(value, dict) and CLASS in value:
        return str(value[CLASS])  # pyright: ignore[reportUnknownArgumentType]
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
