"""The kinds of artifact: what a step makes and what another may ask for."""

from enum import StrEnum


class Kind(StrEnum):
    """What an artifact holds. Steps are wired by kind, and a wrong wiring fails when the recipe is built."""

    FILES = "files"
    """Raw files as they came, for instance an unpacked package."""
    CORPUS = "corpus"
    """`documents/*.parquet` and, beside each shard, `rejects/*.parquet`."""
    ANNOTATION = "annotation"
    """`annotation.parquet`: one row for each document of a corpus, same order."""
    TOKENS = "tokens"
    """`tokens.bin` and `index.parquet`: documents as token ids, in the order of their streams."""
    CHECKPOINT = "checkpoint"
    """`model/`: a Transformers folder, tokenizer included; training adds its own tables beside it."""
    EVALUATION = "evaluation"
    """`metrics.parquet`: figures with intervals."""
