"""The data card of a trained model: what it consumed, from where, under which licence; made like the model card."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from regraft.core import Artifact, Kind, Store, lineage
from regraft.training.cards.consumption import StreamUse, licences, stream_uses
from regraft.training.cards.markdown import number, section, table, words
from regraft.training.history import steps_within

DATA_CARD = "DATA.md"
PARTS_OF_DATA = ("mixture", "validation", "whole_sources", "controlled_sources")
"""Fields of a training's config that the data card shows."""


def data_card(store: Store, artifact: Artifact) -> str:
    """Return the data card of a checkpoint in Markdown, arguments as for the model card."""
    trained = steps_within(artifact)
    uses = [stream_uses(training, last) for training, last in trained]
    seen = {id_ for stage in uses for use in stage for id_ in use.documents}
    behind = [found for _, _, found in lineage(store, artifact)]
    tokenized = {i.artifact for found in behind if found.manifest.kind is Kind.TOKENS for i in found.manifest.inputs}
    corpora = [found for found in behind if found.manifest.kind is Kind.CORPUS]
    last = [corpus for corpus in corpora if corpus.id in tokenized]
    parts = [
        f"# Data of {artifact.manifest.step}",
        "Tokens are those of the model's tokenizer, begin and end tokens included. A document counts once in a stage, "
        "however often and however little of it was served.",
        section("In all", _totals([use for stage in uses for use in stage])),
        *(
            section(f"Stage {n}: {training.manifest.step}", [*_streams(stage), "", *_data_settings(training)])
            for n, ((training, _), stage) in enumerate(zip(trained, uses, strict=True), start=1)
        ),
        section("Licences", _licence_table(licences(last, seen))),
        section("Where it comes from", _origins(corpora)),
        section("What became of it", _steps_of_data(corpora)),
    ]
    return "\n\n".join(parts) + "\n"


def _totals(uses: Iterable[StreamUse]) -> list[str]:
    tokens: Counter[tuple[str, str]] = Counter()
    documents: dict[tuple[str, str], set[str]] = {}
    for use in uses:
        tokens[use.language, use.source] += use.tokens
        documents.setdefault((use.language, use.source), set()).update(use.documents)
    rows = [(*key, f"{len(documents[key]):,}", f"{tokens[key]:,}") for key in sorted(tokens)]
    rows.append(("all", "", f"{sum(map(len, documents.values())):,}", f"{tokens.total():,}"))
    return table(("language", "source", "documents", "tokens"), rows)


def _streams(uses: Iterable[StreamUse]) -> list[str]:
    rows = [
        (
            use.language,
            use.source,
            use.topic,
            f"{len(use.documents):,}",
            f"{use.tokens:,}",
            f"{use.first_share:.4f}",
            f"{use.last_share:.4f}",
        )
        for use in uses
    ]
    return table(("language", "source", "topic", "documents", "tokens", "first share", "last share"), rows)


def _data_settings(training: Artifact) -> list[str]:
    config, metrics = training.manifest.config, training.manifest.metrics
    names = ("padding_tokens", "left_out_documents", "exhausted_streams")
    held_out = [f"{i.step} `{i.artifact}`" for i in training.manifest.inputs if i.role == "held_out"]
    return table(
        ("setting", ""),
        [
            *((name, f"`{words(config[name])}`") for name in PARTS_OF_DATA if config.get(name)),
            *((name, number(metrics[name])) for name in names if name in metrics),
            ("held out, never trained on", ", ".join(held_out)),
        ],
    )


def _licence_table(found: Mapping[str, Counter[str]]) -> list[str]:
    rows = [(source, name, f"{count:,}") for source, names in found.items() for name, count in sorted(names.items())]
    return table(("source", "licence", "documents"), rows)


def _origins(corpora: Iterable[Artifact]) -> list[str]:
    """Return a row for each corpus that was made from no other."""
    made = {corpus.id for corpus in corpora}
    raw = [c for c in corpora if not any(i.artifact in made for i in c.manifest.inputs)]
    rows = [
        (c.manifest.step, f"`{c.id}`", number(c.manifest.metrics.get("documents")), f"`{_shown(c.manifest.config)}`")
        for c in sorted(raw, key=lambda c: (c.manifest.step, c.id))
    ]
    return table(("step", "artifact", "documents", "config"), rows)


def _steps_of_data(corpora: Iterable[Artifact]) -> list[str]:
    rows = [
        (c.manifest.step, c.manifest.stage, f"`{c.id}`", number(c.manifest.metrics.get("documents")))
        for c in sorted(corpora, key=lambda c: (c.manifest.step, c.id))
    ]
    return table(("step", "stage", "artifact", "documents"), rows)


def _shown(config: Mapping[str, Any]) -> str:
    """Return a config with at most a few of its raw files named."""
    files = config.get("files")
    if isinstance(files, Mapping) and len(files.get("files") or []) > 3:
        more = len(files["files"]) - 3
        config = {**config, "files": [*files["files"][:3], f"and {more:,} more"]}
    return words(config)
