"""Tokens for a new language, added to the vocabulary of a model before it is trained on that language."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regraft.core import Artifact, ConfigError, Context, Kind, Metrics, RegraftError, many, stage

if TYPE_CHECKING:
    from regraft.lm.vocabulary import NewToken

    Extension = tuple[dict[str, Any], dict[int, tuple[int, ...]]]
    """Form of the extended tokenizer, and the old pieces of each new token by its id."""

Texts = Mapping[str, Sequence[str]]
"""Texts by language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyConfig:
    """How many tokens are learnt from which text. Not in the paper, which keeps the vocabulary of its model."""

    languages: tuple[str, ...]
    """To learn tokens for. Text in any other language of the corpora must be split as before."""
    num_tokens: int = 4096
    """To learn; fewer are added when some would change how other languages are split."""
    min_count: int = 10
    """Of a pair of neighbours in the text, to become a token."""
    max_pieces: int = 16
    """Old tokens that a new one stands for, at most. A Chinese character may be one to three."""
    bytes_per_language: int = 20_000_000
    """Of text that is read, the first documents."""

    def __post_init__(self) -> None:
        if not self.languages:
            raise ConfigError("languages is empty; name those to learn tokens for.")
        for name, least in (("num_tokens", 1), ("min_count", 2), ("max_pieces", 2), ("bytes_per_language", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}; give at least {least}.")


@stage(version=1, makes=Kind.CHECKPOINT, model=Kind.CHECKPOINT, docs=many(Kind.CORPUS))
def extend_vocabulary(config: VocabularyConfig, ctx: Context) -> Metrics:
    """Write the model with more tokens, each of which begins as the mean of the tokens that it stands for.

    Raises:
        ConfigError: the corpora hold no text in one of the languages, or the tokenizer is no byte-level BPE.
        RegraftError: no token could be learnt.
    """
    from regraft.lm.vocabulary import check_byte_level

    folder = ctx.input("model").file("model")
    check_byte_level(folder)
    texts = _read(ctx.inputs["docs"], config)
    form, pieces = _learn(config, folder, texts, ctx)
    figures = _figures(folder, form, pieces, texts)
    rows = _write(folder, form, pieces, ctx.out / "model")
    changed = sum(
        int(figures[f"changed_documents.{language}"]) for language in texts if language not in config.languages
    )
    assert not changed, "a token that changes how another language is split was not dropped"
    return {"tokens_added": len(pieces), "vocabulary": max(pieces) + 1, "rows": rows, **figures}


def _read(corpora: Sequence[Artifact], config: VocabularyConfig) -> Texts:
    """Return the first documents of each language, up to the size that is asked for."""
    from regraft.corpus import tables

    texts: dict[str, list[str]] = {}
    sizes = Counter[str]()
    for corpus in corpora:
        for path in tables.shards(corpus.path, tables.DOCUMENTS_FOLDER):
            for batch in tables.batches(path, tables.DOCUMENTS, 1000, ["text", "language"]):
                for row in batch.to_pylist():
                    if sizes[row["language"]] < config.bytes_per_language:
                        texts.setdefault(row["language"], []).append(row["text"])
                        sizes[row["language"]] += len(row["text"].encode())
    if missing := set(config.languages) - {*texts}:
        raise ConfigError(f"The corpora hold no text in {sorted(missing)}; they hold {sorted(texts)}.")
    return texts


def _learn(config: VocabularyConfig, folder: Path, texts: Texts, ctx: Context) -> "Extension":
    """Return an extension that splits text of other languages as before."""
    from regraft.lm.load import load_tokenizer
    from regraft.lm.vocabulary import extend, learn_tokens, unlike_before, without

    new: list[NewToken] = learn_tokens(
        load_tokenizer(folder),
        [text for language in config.languages for text in texts[language]],
        num_tokens=config.num_tokens,
        min_count=config.min_count,
        max_pieces=config.max_pieces,
    )
    others = [text for language in sorted({*texts} - {*config.languages}) for text in texts[language]]
    if not others:
        ctx.log.warning("the corpora hold no text but %s: nothing shows how other text is split now", config.languages)
    form, pieces = extend(folder, new)
    while dropped := unlike_before(form, pieces, others):  # without these, others may apply in their place
        new = without(new, dropped)
        ctx.log.info("%d tokens change how other languages are split and are dropped", len(dropped))
        form, pieces = extend(folder, new)
    if not pieces:
        raise RegraftError(f"No token could be learnt for {config.languages}; lower min_count, or give more text.")
    return form, pieces


def _figures(folder: Path, form: Mapping[str, Any], pieces: Mapping[int, Any], texts: Texts) -> dict[str, float]:
    """Return bytes a token before and after, and documents that are split in another way, of each language."""
    from regraft.lm.load import load_tokenizer
    from regraft.lm.vocabulary import encoded, opened

    figures: dict[str, float] = {}
    for language, documents in sorted(texts.items()):
        size = sum(len(text.encode()) for text in documents)
        before = sum(map(len, encoded(load_tokenizer(folder), documents)))
        after = list(encoded(opened(form), documents))
        figures[f"documents.{language}"] = len(documents)
        figures[f"changed_documents.{language}"] = sum(not pieces.keys().isdisjoint(ids) for ids in after)
        figures[f"bytes_per_token_before.{language}"] = round(size / max(1, before), 4)
        figures[f"bytes_per_token_after.{language}"] = round(size / max(1, sum(map(len, after))), 4)
    return figures


def _write(folder: Path, form: Mapping[str, Any], pieces: Mapping[int, Sequence[int]], target: Path) -> int:
    """Write the Transformers folder; return the rows of its embeddings."""
    import json

    from regraft.lm.embeddings import add_rows
    from regraft.lm.load import load_model, quiet_transformers
    from regraft.training.merging.soup import copy_description

    model = load_model(folder)
    rows = add_rows(model, pieces)
    copy_description(folder, target)
    with quiet_transformers():
        model.save_pretrained(target)
    (target / "tokenizer.json").write_text(json.dumps(form, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return rows
