"""An artifact: a finished, read-only directory that says what made it.

`<store>/<stage>-<fingerprint12>/` holds files and `manifest.json`, which is written last and before the one rename that
makes the directory visible. What can be opened is complete.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from regraft.core.errors import ArtifactError
from regraft.core.kinds import Kind
from regraft.core.sources import sha256_of

FORMAT = 1
"""Raised when the form of `manifest.json` changes."""
MANIFEST = "manifest.json"
TIMING = "timing"
"""Folder inside an artifact for what a clock measured. It is hashed, but it is no part of the content digest."""

Metrics = Mapping[str, int | float | str | bool | None]
"""What a stage returns: a few named figures for the manifest. Rows belong in tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One file of an artifact."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRecord:
    """One input of the step that made an artifact."""

    role: str
    step: str
    artifact: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """By what means an artifact was made. Never part of its identity."""

    started: str
    """UTC, ISO 8601."""
    seconds: float
    cpu_seconds: float
    """Of this process and its finished children."""
    peak_memory_bytes: int
    command_line: str
    commit: str
    """Git commit of the regraft source tree, empty when installed from a package."""
    python: str
    packages: Mapping[str, str]
    platform: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an artifact is, what made it and from what."""

    format: int
    step: str
    stage: str
    version: int
    kind: Kind
    fingerprint: str
    config: Any
    """Canonical JSON form of the config."""
    inputs: tuple[InputRecord, ...]
    files: tuple[FileRecord, ...]
    metrics: Metrics
    provenance: Provenance

    @property
    def content_digest(self) -> str:
        """SHA-256 over names and hashes of the files, `timing/` left out: equal when the result is equal."""
        lines = [f"{f.path} {f.sha256}" for f in self.files if not f.path.startswith(f"{TIMING}/")]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> "Manifest":
        raw: dict[str, Any] = json.loads(text)
        raw["kind"] = Kind(raw["kind"])
        raw["inputs"] = tuple(InputRecord(**i) for i in raw["inputs"])
        raw["files"] = tuple(FileRecord(**f) for f in raw["files"])
        raw["provenance"] = Provenance(**raw["provenance"])
        return Manifest(**raw)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished artifact on disk. Read only."""

    path: Path
    manifest: Manifest

    @property
    def id(self) -> str:
        """`<stage>-<fingerprint12>`, the name of its directory."""
        return self.path.name

    def file(self, name: str) -> Path:
        """Return the path of one of its files.

        Raises:
            ArtifactError: the artifact holds no such file.
        """
        if not (self.path / name).exists():
            raise ArtifactError(f"{self.id} holds no {name!r}; it holds {[f.path for f in self.manifest.files][:8]}.")
        return self.path / name


def artifact_id(stage: str, fingerprint: str) -> str:
    """Return the name of the directory of an identity."""
    return f"{stage}-{fingerprint[:12]}"


def open_artifact(path: Path) -> Artifact:
    """Open a finished artifact.

    Raises:
        ArtifactError: no manifest, a manifest of another format, or one that cannot be read.
    """
    try:
        text = (path / MANIFEST).read_text("utf-8")
    except FileNotFoundError:
        raise ArtifactError(f"{path} is no finished artifact: it has no {MANIFEST}.") from None
    try:
        found = json.loads(text).get("format")
        if found == FORMAT:
            return Artifact(path, Manifest.from_json(text))
    except (AttributeError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{path / MANIFEST} cannot be read ({error}). Delete {path} and run again.") from error
    raise ArtifactError(f"{path} has format {found}, this regraft reads {FORMAT}. Delete it and run again.")


def record_files(directory: Path) -> tuple[FileRecord, ...]:
    """Hash and flush to disk every file below `directory`, in sorted order of their paths."""
    paths = sorted(p for p in directory.rglob("*") if p.is_file() and p != directory / MANIFEST)
    return tuple(_record(path, directory) for path in paths)


def seal(directory: Path, manifest: Manifest, target: Path) -> Artifact:
    """Write the manifest into `directory` and rename it to `target`: from then on it is an artifact."""
    with (directory / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(manifest.to_json())
        file.flush()
        os.fsync(file.fileno())
    directory.rename(target)
    flush_directory(target.parent)
    return Artifact(target, manifest)


def damage(artifact: Artifact) -> list[str]:
    """Compare every file with its record and return what differs, in words; an empty list means intact."""
    found = [_damage_of(artifact.path / record.path, record) for record in artifact.manifest.files]
    known = {record.path for record in artifact.manifest.files} | {MANIFEST}
    extra = [p.relative_to(artifact.path).as_posix() for p in artifact.path.rglob("*") if p.is_file()]
    return [text for text in found if text] + [f"{name} is not in the manifest" for name in extra if name not in known]


def flush_tree(path: Path) -> None:
    """Make every file below a directory survive a power cut."""
    for file in path.rglob("*"):
        if file.is_file():
            flush_file(file)


def flush_file(path: Path) -> None:
    """Make what a file holds survive a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def flush_directory(path: Path) -> None:
    """Make renames inside a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _record(path: Path, directory: Path) -> FileRecord:
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return FileRecord(path=path.relative_to(directory).as_posix(), bytes=path.stat().st_size, sha256=sha256_of(path))


def _damage_of(path: Path, record: FileRecord) -> str:
    if not path.is_file():
        return f"{record.path} is missing"
    if path.stat().st_size != record.bytes:
        return f"{record.path} has {path.stat().st_size} bytes, its record says {record.bytes}"
    return "" if sha256_of(path) == record.sha256 else f"{record.path} has other bytes than were written"
