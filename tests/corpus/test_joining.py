import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from regraft.core import ConfigError, Context, Kind, Metrics, Step, StepFailed, stage
from regraft.corpus.joining import JoinConfig, join_parts
from tests.corpus.given import make


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    text: str


@stage(version=1, makes=Kind.FILES)
def part(config: Part, ctx: Context) -> Metrics:
    (ctx.out / config.name).write_text(config.text, "utf-8")
    return {}


def joined(texts: tuple[str, ...], whole: str) -> Step[JoinConfig]:
    names = tuple(f"part{number}.bin" for number in range(len(texts)))
    files = [part.step(name, Part(name=name, text=text)) for name, text in zip(names, texts, strict=True)]
    sha256 = hashlib.sha256(whole.encode()).hexdigest()
    return join_parts.step("whole", JoinConfig(name="model.gguf", sha256=sha256, parts=names), files=files)


def test_parts_become_one_file_in_their_order(tmp_path: Path) -> None:
    artifact = make(joined(("weights ", "of a ", "model"), "weights of a model"), tmp_path)
    assert artifact.file("model.gguf").read_text("utf-8") == "weights of a model"
    assert artifact.manifest.metrics["bytes"] == 18


def test_parts_in_another_order_are_another_file(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"model.gguf together have the sha256 .* is pinned"):
        make(joined(("of a ", "weights ", "model"), "weights of a model"), tmp_path)


def test_a_part_too_few_is_told(tmp_path: Path) -> None:
    whole = joined(("weights ", "model"), "weights model")
    config = JoinConfig(name="model.gguf", sha256=whole.config.sha256, parts=("part0.bin",))
    with pytest.raises(StepFailed, match="1 parts, but 2 inputs"):
        make(join_parts.step("whole", config, files=whole.inputs["files"]), tmp_path)


@pytest.mark.parametrize("wrong", [{"name": "a/b"}, {"name": ".."}, {"parts": ()}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        JoinConfig(**{"name": "m", "sha256": "0" * 64, "parts": ("p",)} | wrong)  # type: ignore[arg-type]
