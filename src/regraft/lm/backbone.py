"""The model that everything starts from: a GGUF file, a local Transformers folder or a model of the hub."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from regraft.core import ConfigError, Context, Kind, Metrics, RawFiles, optional, stage

WANTED = (
    "config.json",
    "generation_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "LICENSE*",
    "NOTICE*",
)
"""What a model folder is made of; pickled weights, code and all else are left behind."""
COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneConfig:
    """Where the backbone comes from: exactly one of `gguf`, `folder` and `name`."""

    name: str = ""
    """Of a model on the hub, such as `HuggingFaceTB/SmolLM2-135M`."""
    revision: str = ""
    """Commit of the hub model, 40 hexadecimal digits: a branch or tag may hold something else tomorrow."""
    gguf: str = ""
    """Path of a GGUF file inside the input `files`. Its weights are dequantised."""
    gguf_sha256: str = ""
    """Checked when it is not empty."""
    folder: RawFiles | None = None
    """A Transformers folder with safetensors and `tokenizer.json`. Only what a model is made of is read and is part
    of the identity, whatever the pattern."""
    allow_code: tuple[str, ...] = ()
    """Python files of the model that may be run, such as `modeling_own.py`, all that it needs; read them first."""

    def __post_init__(self) -> None:
        given = [what for what, value in (("name", self.name), ("gguf", self.gguf), ("folder", self.folder)) if value]
        if len(given) != 1:
            raise ConfigError(f"Give exactly one of name, gguf and folder; {given or 'none'} given.")
        if bool(self.name) != bool(self.revision):
            raise ConfigError(
                f"name {self.name!r} and revision {self.revision!r} belong together: give both or neither."
            )
        if self.revision and not COMMIT.fullmatch(self.revision):
            raise ConfigError(
                f"revision {self.revision!r} is no commit. A branch or tag may hold something else tomorrow: give the "
                "40 hexadecimal digits that the model's page shows under its history."
            )
        if self.gguf_sha256 and not self.gguf:
            raise ConfigError("gguf_sha256 is given, but no gguf.")
        if self.gguf and self.allow_code:
            raise ConfigError("allow_code is given, but a GGUF file brings no code.")
        if wrong := [name for name in self.allow_code if not re.fullmatch(r"\w+\.py", name)]:
            raise ConfigError(f"allow_code names {wrong}; give names of Python files beside the model's config.json.")
        if self.folder and not self.folder.files:
            wanted = "|".join((*WANTED, *self.allow_code))
            object.__setattr__(self, "folder", replace(self.folder, pattern=wanted))

    @property
    def origin(self) -> str:
        """Return where the backbone comes from, in a few words."""
        return f"{self.name}@{self.revision}" if self.name else self.gguf or "local folder"


def _describe(config: BackboneConfig) -> str:
    return config.origin


@stage(version=2, makes=Kind.CHECKPOINT, describe=_describe, files=optional(Kind.FILES))
def import_backbone(config: BackboneConfig, ctx: Context) -> Metrics:
    """Write the backbone to `model/` as a Transformers folder: safetensors in fp32 or as they came, and tokenizer.

    Files of a folder or of the hub are copied, so that nothing that happens to them later changes the artifact.

    Raises:
        ConfigError: no Transformers folder, no safetensors or not all of them, no fast tokenizer, or code that
            `allow_code` does not name.
        RegraftError: the hub cannot be reached, or Transformers does not know the architecture.
    """
    from regraft.lm.import_model import copy_model, describe_model, download_model, import_gguf

    target = ctx.out / "model"
    files = ctx.optional("files")
    if bool(config.gguf) != (files is not None):
        raise ConfigError("The input `files` and the field `gguf` belong together: give both or neither.")
    if files is not None:
        import_gguf(files.file(config.gguf), config.gguf_sha256, target)
    elif config.folder is not None:
        copy_model({file.name: ctx.located[file] for file in config.folder.files}, target, config.allow_code)
    else:
        snapshot: Path = download_model(config.name, config.revision, ctx.execution.cache / "hub", config.allow_code)
        copy_model({path.name: path for path in sorted(snapshot.iterdir())}, target, config.allow_code)
    return {"origin": config.origin, **describe_model(target)}
