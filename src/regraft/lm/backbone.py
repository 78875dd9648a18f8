"""The model that everything starts from: a GGUF file, a local Transformers folder or a model of the hub."""

from dataclasses import dataclass
from pathlib import Path

from regraft.core import ConfigError, Context, Kind, Metrics, RawFiles, optional, stage


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneConfig:
    """Where the backbone comes from: exactly one of `gguf`, `folder` and `name`."""

    name: str = ""
    """Of a model on the hub, such as `HuggingFaceTB/SmolLM2-135M`."""
    revision: str = ""
    """Commit or tag of the hub model: a branch may hold something else tomorrow."""
    gguf: str = ""
    """Path of a GGUF file inside the input `files`. Its weights are dequantised."""
    gguf_sha256: str = ""
    """Checked when it is not empty."""
    folder: RawFiles | None = None
    """A Transformers folder with safetensors and `tokenizer.json`."""

    def __post_init__(self) -> None:
        given = [what for what, value in (("name", self.name), ("gguf", self.gguf), ("folder", self.folder)) if value]
        if len(given) != 1:
            raise ConfigError(f"Give exactly one of name, gguf and folder; {given or 'none'} given.")
        if bool(self.name) != bool(self.revision):
            raise ConfigError(
                f"name {self.name!r} and revision {self.revision!r} belong together: give both or neither."
            )
        if self.gguf_sha256 and not self.gguf:
            raise ConfigError("gguf_sha256 is given, but no gguf.")

    @property
    def origin(self) -> str:
        """Return where the backbone comes from, in a few words."""
        return f"{self.name}@{self.revision}" if self.name else self.gguf or "local folder"


def _describe(config: BackboneConfig) -> str:
    return config.origin


@stage(version=1, makes=Kind.CHECKPOINT, describe=_describe, files=optional(Kind.FILES))
def import_backbone(config: BackboneConfig, ctx: Context) -> Metrics:
    """Write the backbone to `model/` as a Transformers folder: safetensors in fp32 or as they came, and tokenizer.

    Files of a folder or of the hub are copied, so that nothing that happens to them later changes the artifact.
    """
    from regraft.lm.import_model import copy_model, describe_model, download_model, import_gguf

    target = ctx.out / "model"
    files = ctx.optional("files")
    if bool(config.gguf) != (files is not None):
        raise ConfigError("The input `files` and the field `gguf` belong together: give both or neither.")
    if files is not None:
        import_gguf(files.file(config.gguf), config.gguf_sha256, target)
    elif config.folder is not None:
        copy_model({file.name: ctx.located[file] for file in config.folder.files}, target)
    else:
        snapshot: Path = download_model(config.name, config.revision, ctx.execution.cache / "hub")
        copy_model({path.name: path for path in sorted(snapshot.iterdir())}, target)
    return {"origin": config.origin, **describe_model(target)}
