"""Raw files enter by content: where they lie is never part of an identity.

A config holds `RawFiles(root, pattern)`. When a run is planned, the files are found, hashed and *pinned*: the root is
dropped and every file stands as `SourceFile(name, sha256)`. Two folders with equal files are then the same input, and
an edited file is another one.
"""

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regraft.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One raw file, by name below its root and by content."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFiles:
    """Files below a folder, in sorted order of their names."""

    root: str
    """A folder or a single file; a relative path is taken from the data root of the run. Empty once pinned."""
    pattern: str = "**/*"
    """A glob below `root`."""
    files: tuple[SourceFile, ...] = ()
    """Filled when the run is planned."""


@dataclass(frozen=True, slots=True)
class HashCache:
    """Hashes of files, remembered by path, size and modification time, so that a plan stays fast."""

    path: Path

    def load(self) -> dict[str, list[Any]]:
        try:
            return json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}

    def save(self, entries: dict[str, list[Any]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        part.write_text(json.dumps(entries), "utf-8")
        part.replace(self.path)


def pin(value: Any, data_root: Path, cache: HashCache, located: dict[SourceFile, Path], place: str = "config") -> Any:
    """Return `value` with every `RawFiles` inside it pinned; the path of each file is added to `located`.

    Raises:
        ConfigError: a root does not exist, or nothing below it matches the pattern.
    """
    entries = cache.load()
    before = dict(entries)
    pinned = _pin(value, data_root, entries, located, place)
    if entries != before:
        cache.save(entries)
    return pinned


def _pin(
    value: Any, data_root: Path, entries: dict[str, list[Any]], located: dict[SourceFile, Path], place: str
) -> Any:
    if isinstance(value, RawFiles):
        return _pin_files(value, data_root, entries, located, place)
    if isinstance(value, tuple):
        items: list[Any] = [_pin(v, data_root, entries, located, f"{place}[{i}]") for i, v in enumerate(value)]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        return tuple(items)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _pin_dataclass(value, data_root, entries, located, place)
    return value


def _pin_dataclass(
    value: Any, data_root: Path, entries: dict[str, list[Any]], located: dict[SourceFile, Path], place: str
) -> Any:
    old = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    new = {name: _pin(v, data_root, entries, located, f"{place}.{name}") for name, v in old.items()}
    return value if new == old else dataclasses.replace(value, **new)


def _pin_files(
    raw: RawFiles, data_root: Path, entries: dict[str, list[Any]], located: dict[SourceFile, Path], place: str
) -> RawFiles:
    root = data_root / raw.root
    if not root.exists():
        raise ConfigError(f"{place}: {root} does not exist. Give an existing file or folder, or set --data.")
    paths = [root] if root.is_file() else sorted(p for p in root.glob(raw.pattern) if p.is_file())
    if not paths:
        raise ConfigError(f"{place}: no file in {root} matches {raw.pattern!r}.")
    base = root.parent if root.is_file() else root
    files = [SourceFile(name=p.relative_to(base).as_posix(), sha256=_hash(p, entries)) for p in paths]
    located.update(zip(files, paths, strict=True))
    return RawFiles(root="", pattern=raw.pattern, files=tuple(files))


def _hash(path: Path, entries: dict[str, list[Any]]) -> str:
    stat, key = path.stat(), str(path.resolve())
    known = entries.get(key)
    if known is not None and known[:2] == [stat.st_size, stat.st_mtime_ns]:
        return known[2]
    entries[key] = [stat.st_size, stat.st_mtime_ns, sha256_of(path)]
    return entries[key][2]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
