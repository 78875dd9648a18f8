"""Our side: recipes over a corpus of the benchmarks, run in a process of their own as `python -m bench.ours NAME`."""

import argparse
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regraft.core import Context, Execution, Kind, Metrics, RawFiles, Step, Store, run, stage
from regraft.corpus.ingest import IngestConfig, ingest
from regraft.corpus.jsonlines import JsonLines
from regraft.corpus.tokens import TokenizeConfig, tokenize
from regraft.curation.duplicates.dedup import DedupConfig, deduplicate

SIMILARITY = 0.8
"""True Jaccard similarity from which a document is dropped: the one at which precision is claimed."""
SEPARATOR = "<|endoftext|>"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerConfig:
    """A tokenizer without a model."""

    files: RawFiles


@stage(version=1, makes=Kind.CHECKPOINT)
def tokenizer_only(config: TokenizerConfig, ctx: Context) -> Metrics:
    """Write `model/tokenizer.json`."""
    (ctx.out / "model").mkdir()
    for file in config.files.files:
        shutil.copyfile(ctx.located[file], ctx.out / "model" / "tokenizer.json")
    return {"files": len(config.files.files)}


def texts(corpus: Path) -> Step[Any]:
    """Return the texts of a corpus, read."""
    reader = JsonLines(id="id", language="language", keep=("id",))
    files = RawFiles(root=str(corpus / "text"), pattern="*.jsonl.zst")
    return ingest.step("texts", IngestConfig(source="bench", reader=reader, files=files))


def tokenizer_of(path: Path) -> Step[Any]:
    """Return a tokenizer as an artifact."""
    return tokenizer_only.step("tokenizer", TokenizerConfig(files=RawFiles(root=str(path))))


def deduplicated(corpus: Path, tokenizer: Path | None) -> list[Step[Any]]:
    """Near duplicates, end to end."""
    return [deduplicate.step("deduplicated", DedupConfig(min_similarity=SIMILARITY), docs=texts(corpus))]


def given(corpus: Path, tokenizer: Path) -> list[Step[Any]]:
    """What tokenizing starts from."""
    return [texts(corpus), tokenizer_of(tokenizer)]


def tokenized(corpus: Path, tokenizer: Path) -> list[Step[Any]]:
    """Texts to tokens; nothing else is left to do in a store that holds `given`."""
    docs, model = given(corpus, tokenizer)
    config = TokenizeConfig(begin_token="", end_token=SEPARATOR)
    return [tokenize.step("tokens", config, docs=docs, model=model)]


def end_to_end(corpus: Path, tokenizer: Path) -> list[Step[Any]]:
    """From archives of pages to tokens."""
    from bench.pipeline import pages_to_tokens  # the other recipes need none of its stages

    return pages_to_tokens(corpus, tokenizer)


RECIPES: dict[str, Callable[[Path, Any], list[Step[Any]]]] = {
    recipe.__name__: recipe for recipe in (deduplicated, given, tokenized, end_to_end)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--engine", choices=("native", "ray"), default="native")
    asked = parser.parse_args()
    steps = RECIPES[asked.recipe](asked.corpus.resolve(), asked.tokenizer and asked.tokenizer.resolve())
    execution = Execution(workers=asked.workers, engine=asked.engine, cache=asked.store / "cache")
    run(steps, Store(asked.store), execution, recipe=asked.recipe)


if __name__ == "__main__":
    main()
