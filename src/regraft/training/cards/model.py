"""The model card of a trained model: a function of the manifests and tables behind it, and of nothing else.

The same artifacts give the same bytes: no clock, no paths of a machine, no command line.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from regraft.core import Artifact, Kind, Manifest, Store, lineage
from regraft.training.cards.consumption import StreamUse, stream_uses
from regraft.training.cards.data import DATA_CARD, PARTS_OF_DATA
from regraft.training.cards.markdown import number, section, table, words
from regraft.training.history import MODEL_ROLES, ancestors, steps_within

MODEL_CARD = "README.md"
RESULTS = ("steps", "sequences", "skipped_steps", "rollbacks", "stopped")
"""Figures of a training that the card shows; the budget stands among its settings."""


def model_card(store: Store, artifact: Artifact, dtype: str) -> str:
    """Return the model card of a checkpoint in Markdown, with the front matter that the hub reads.

    Args:
        store: that holds the artifact and what it was made from.
        artifact: of the kind checkpoint.
        dtype: of the weights beside the card.
    """
    made = ancestors(artifact)
    base, later = made[0], [a for a in made if any(i.role in MODEL_ROLES for i in a.manifest.inputs)]
    streams = [use for training, last in steps_within(artifact) for use in stream_uses(training, last)]
    parts = [
        _front_matter(base, sorted({use.language for use in streams})),
        f"# {artifact.manifest.step}",
        f"Made by regraft from **{origin(base)}**"
        + (", by continual pre-training on " + _by_language(streams) + "." if streams else "."),
        section("Model", _facts(artifact, dtype)),
        *(section(f"Stage {n}: {stage.manifest.step}", _stage(stage)) for n, stage in enumerate(later, start=1)),
        section("Data", [f"See [{DATA_CARD}]({DATA_CARD}): every source, what was consumed of it, and its licence."]),
        section("Evaluation", _evaluations(store, artifact)),
        section("Lineage", ["From the newest step to the raw files.", "", *_lineage(store, artifact)]),
        section("Software", _software([stage.manifest for stage in later or made])),
    ]
    return "\n\n".join(parts) + "\n"


def origin(base: Artifact) -> str:
    """Return where a base model comes from, in words."""
    given = base.manifest.metrics.get("origin")
    return str(given) if given else f"{base.manifest.stage}, random weights"


def _front_matter(base: Artifact, languages: Sequence[str]) -> str:
    name, _, revision = origin(base).partition("@")
    lines = ["library_name: transformers", "pipeline_tag: text-generation", "tags: [continual-pretraining, regraft]"]
    if revision:
        lines.append(f"base_model: {name}")
    if languages:
        lines.append(f"language: [{', '.join(map(repr, languages))}]")
    return "\n".join(["---", *lines, "---"])


def _facts(artifact: Artifact, dtype: str) -> list[str]:
    config = json.loads(artifact.file("model/config.json").read_text("utf-8"))
    size = config.get("max_position_embeddings") or config.get("n_positions") or "not stated"
    named = sorted(path.name for pattern in ("LICENSE*", "NOTICE*") for path in artifact.file("model").glob(pattern))
    return table(
        ("", ""),
        [
            ("architecture", ", ".join(config.get("architectures") or ["unknown"])),
            ("parameters", f"{_num_stored(artifact.file('model')):,}, a tied one counted once"),
            ("vocabulary", f"{config.get('vocab_size', 'unknown')} rows"),
            ("context", f"{size} tokens"),
            ("weights", f"{dtype}, safetensors"),
            ("licence of the base model", ", ".join(f"[{name}]({name})" for name in named) or "unknown"),
            ("artifact", f"`{artifact.id}`"),
            ("fingerprint", f"`{artifact.manifest.fingerprint}`"),
            ("content of the artifact", f"`{artifact.manifest.content_digest}`"),
        ],
    )


def _num_stored(folder: Path) -> int:
    """Return how many numbers the weights of a folder are, from the heads of its files."""
    from safetensors import safe_open

    total = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "numpy") as tensors:
            total += sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    return total


def _stage(artifact: Artifact) -> list[str]:
    """Return what a stage that changed the weights came to, and its settings."""
    metrics, config = artifact.manifest.metrics, artifact.manifest.config
    made = [(name, number(metrics[name])) for name in RESULTS if metrics.get(name) not in (None, 0, "")]
    settings = [
        (name, f"`{words(value)}`")
        for name, value in config.items()
        if name not in ("!", *PARTS_OF_DATA) and value not in (None, "", [])
    ]
    return table((f"{artifact.manifest.stage} `{artifact.id}`", ""), [*made, *settings])


def _evaluations(store: Store, artifact: Artifact) -> list[str]:
    found = [
        f"- {other.manifest.step}: `{other.id}`"
        for other in store.readable_artifacts()
        if other.manifest.kind is Kind.EVALUATION and any(i.artifact == artifact.id for i in other.manifest.inputs)
    ]
    return [*(found or ["Not evaluated in this store."]), "", "`regraft report` renders their figures with intervals."]


def _lineage(store: Store, artifact: Artifact) -> Iterator[str]:
    for depth, role, found in lineage(store, artifact):
        yield f"{'  ' * depth}- {f'{role}: ' if role else ''}{found.manifest.step} `{found.id}`"


def _software(manifests: Sequence[Manifest]) -> list[str]:
    rows: list[tuple[str, ...]] = []
    for manifest in manifests:
        given = manifest.provenance
        packages = ", ".join(f"{name} {version}" for name, version in sorted(given.packages.items()))
        rows.append((manifest.step, f"Python {given.python}, {packages}", given.commit or "package", given.device))
    return table(("step", "packages", "commit of regraft", "device"), rows)


def _by_language(uses: Iterable[StreamUse]) -> str:
    tokens: Counter[str] = Counter()
    for use in uses:
        tokens[use.language] += use.tokens
    return ", ".join(f"{count:,} tokens in {language}" for language, count in sorted(tokens.items()))
