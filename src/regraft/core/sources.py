"""Raw files enter by content: where they lie is never part of an identity.

A config holds `RawFiles(root, pattern)`. When a run is planned, the files are found, hashed and *pinned*: the root is
dropped and every file stands as `SourceFile(name, sha256)`. Two folders with equal files are then the same input, and
an edited file is another one.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
    """A glob below `root`, or several with `|` between them; folders that match are passed over, and `**` does not
    follow links to folders."""
    max_files: int = 0
    """Only so many of them, spread evenly over the list, for a dry run: others are not even hashed. 0 for all."""
    files: tuple[SourceFile, ...] = ()
    """Filled when the run is planned."""


THREADS = 8
"""Files that are hashed at once: what keeps a network file system busy."""


class Hashes:
    """SHA-256 of files, remembered in a cache file by path, size and modification time, so that a plan stays fast."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self._known: dict[str, list[Any]] = {}
        with suppress(OSError, ValueError):
            self._known = json.loads(cache.read_text("utf-8"))
        self._changed = False

    def of(self, path: Path) -> str:
        """Return the SHA-256 of a file; it is read only when its size or time is not the one remembered."""
        stat, key = path.stat(), str(path.resolve())
        known = self._known.get(key)
        if known is None or known[:2] != [stat.st_size, stat.st_mtime_ns]:
            known = self._known[key] = [stat.st_size, stat.st_mtime_ns, sha256_of(path)]
            self._changed = True
        return known[2]

    def of_all(self, paths: Sequence[Path]) -> list[str]:
        """Return the SHA-256 of each file, some read at once; what is done is remembered also when one fails."""
        try:
            with ThreadPoolExecutor(THREADS) as pool:
                return list(pool.map(self.of, paths))
        finally:
            self.save()

    def save(self) -> None:
        """Write the cache file where there is something new."""
        if not self._changed:
            return
        self.cache.parent.mkdir(parents=True, exist_ok=True)
        part = self.cache.with_name(f"{self.cache.name}.{os.getpid()}")
        part.write_text(json.dumps(self._known), "utf-8")
        part.replace(self.cache)
        self._changed = False


def pin(value: Any, data_root: Path, hashes: Hashes, located: dict[SourceFile, Path], place: str = "config") -> Any:
    """Return `value` with every `RawFiles` inside it pinned; the path of each file is added to `located`.

    Raises:
        ConfigError: a root does not exist, or nothing below it matches the pattern.
    """
    if isinstance(value, RawFiles):
        return _pin_files(value, data_root, hashes, located, place)
    if isinstance(value, tuple):
        return tuple(pin(v, data_root, hashes, located, f"{place}[{i}]") for i, v in enumerate(value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, Mapping):
        return {k: pin(v, data_root, hashes, located, f"{place}[{k!r}]") for k, v in value.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _pin_dataclass(value, data_root, hashes, located, place)
    return value


def check_unchanged(located: Mapping[SourceFile, Path], hashes: Hashes) -> None:
    """Return if the raw files still are what was pinned, by size and time; one of another time is read again.

    Raises:
        ConfigError: a file was changed or removed since the run was planned.
    """
    for file, path in located.items():
        if not path.is_file() or hashes.of(path) != file.sha256:
            raise ConfigError(f"{path} was changed since this run was planned. Run again with the files as they are.")


def _pin_dataclass(value: Any, data_root: Path, hashes: Hashes, located: dict[SourceFile, Path], place: str) -> Any:
    old = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    new = {name: pin(v, data_root, hashes, located, f"{place}.{name}") for name, v in old.items()}
    return value if new == old else dataclasses.replace(value, **new)


def _pin_files(raw: RawFiles, data_root: Path, hashes: Hashes, located: dict[SourceFile, Path], place: str) -> RawFiles:
    root = data_root / raw.root
    if not root.exists():
        raise ConfigError(f"{place}: {root} does not exist. Give an existing file or folder, or set --data.")
    base, paths = (root.parent, [root]) if root.is_file() else (root, sorted(_matches(root, raw.pattern, place)))
    if not paths:
        raise ConfigError(f"{place}: no file in {root} matches {raw.pattern!r}.")
    if raw.max_files < 0:
        raise ConfigError(f"{place}: max_files is {raw.max_files}; it is a count, 0 for all.")
    number = min(raw.max_files or len(paths), len(paths))
    chosen = [paths[i * len(paths) // number] for i in range(number)]
    names = [path.relative_to(base).as_posix() for path in chosen]
    files = [SourceFile(name=n, sha256=h) for n, h in zip(names, _hashed(chosen, hashes, place), strict=True)]
    located.update(zip(files, chosen, strict=True))
    return RawFiles(root="", pattern="", files=tuple(files))


def _matches(root: Path, pattern: str, place: str) -> Iterator[Path]:
    """Yield the files that match; what is neither file nor folder is not passed over in silence."""
    for path in {path for part in pattern.split("|") for path in root.glob(part)}:
        if path.is_file():
            yield path
        elif not path.is_dir():
            what = "a link that leads nowhere" if path.is_symlink() else "no regular file"
            raise ConfigError(f"{place}: {path} is {what}. Remove it, or name a pattern that leaves it out.")


def _hashed(paths: Sequence[Path], hashes: Hashes, place: str) -> list[str]:
    try:
        return hashes.of_all(paths)
    except OSError as error:
        raise ConfigError(
            f"{place}: {error.filename} cannot be read ({error.strerror}). Make it readable, or name a pattern that "
            "leaves it out."
        ) from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
