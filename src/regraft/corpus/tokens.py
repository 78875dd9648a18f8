"""Documents as token ids: one flat file, and an index whose rows stand in the order in which streams are read.

`tokens.bin` holds the documents back to back, in the order of the rows of `index.parquet`; `tokens.json` says how to
read it. Order is data: a stream (language, source, topic) is a run of rows, in curriculum order.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from regraft.core import ConfigError, Context, Kind, Metrics, RegraftError, SchemaError, many, optional, stage
from regraft.corpus.ids import Ids

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from regraft.corpus.encoded import Encoded

    Streams = dict[tuple[str, str, str], npt.NDArray[np.int64]]

NO_TOPIC = "-"
"""Topic of documents that were given none."""
FORM_FILE = "tokens.json"
NUMBERS = ("offset", "length", "bytes", "difficulty")
"""Columns of the index that are numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenForm:
    """What a reader of a TOKENS artifact has to know: the content of `tokens.json`."""

    dtype: str
    """`uint16` or `uint32`."""
    vocab_size: int
    begin: int | None
    """Token that every document begins with."""
    end: int | None
    tokenizer_sha256: str
    """Of what decides ids in the tokenizer that made the tokens; see `corpus.tokenizer`."""
    largest_token: int
    """That occurs."""
    measure: str
    """Of difficulty; empty when there is none."""

    @staticmethod
    def read(path: Path) -> "TokenForm":
        """Read the form of the artifact in the folder `path`.

        Raises:
            SchemaError: it was written in another form.
        """
        try:
            return TokenForm(**json.loads((path / FORM_FILE).read_text("utf-8")))
        except (TypeError, ValueError) as error:
            raise SchemaError(f"{path / FORM_FILE} cannot be read: {error}. Run `tokenize` again.") from error


class Order(Protocol):
    """Puts the documents of one stream into an order."""

    def order(self, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
        """Return the indices of the documents in the order in which they are to be read.

        `difficulty` is NaN for a document that was not measured, and empty when there is no annotation.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizeConfig:
    """How documents become streams of tokens."""

    begin_token: str = "<|endoftext|>"
    """Put before every document; "" for none."""
    end_token: str = "<|endoftext|>"
    """Put after every document; "" for none."""
    order: Order | None = None
    """Of the documents inside a stream; None leaves them as given."""
    ordered_languages: tuple[str, ...] = ()
    """Languages whose streams are put in order; the others stay as given.

    Source: the paper orders its Chinese data by perplexity (paper_facts 1.5, [N]).
    """
    measure: str = "loss_per_byte"
    """Of difficulty: `loss_per_byte`, `loss_per_token`, or a column of the annotation that is wired as `difficulty`.

    A loss per token is the paper's perplexity, but favours text in many small, easily guessed pieces. Where a higher
    value means easier text, as with readability, an ascending order is hard to easy.

    Source: the default is not in the paper.
    """
    sources: tuple[str, ...] = ()
    """Only documents of these sources; empty for all."""

    def __post_init__(self) -> None:
        if bool(self.ordered_languages) != (self.order is not None):
            raise ConfigError(
                f"order is {self.order} and ordered_languages {self.ordered_languages}; give both or neither."
            )


@stage(
    version=3,
    makes=Kind.TOKENS,
    docs=many(Kind.CORPUS),
    model=Kind.CHECKPOINT,
    topics=optional(Kind.ANNOTATION),
    difficulty=optional(Kind.ANNOTATION),
)
def tokenize(config: TokenizeConfig, ctx: Context) -> Metrics:
    """Write every document as tokens of the model's tokenizer, stream by stream; corpora follow each other as given.

    Raises:
        ConfigError: the tokenizer has no such begin or end token, or the order asks for a difficulty and none is wired.
        SchemaError: a document has no topic or, in an ordered language, is not in the annotation of its difficulty, or
            two have one id.
        RegraftError: no document to tokenize, or none in an ordered language.
    """
    from regraft.corpus import encoded as gathered
    from regraft.corpus.difficulty import read_difficulty
    from regraft.corpus.encode import encoder_of
    from regraft.corpus.tokenizer import tokenizer_sha256

    tokenizer = ctx.input("model").file("model/tokenizer.json")
    encoder = encoder_of(tokenizer, config.begin_token, config.end_token)
    topics = gathered.read_topics(ctx.optional("topics"))
    difficulty = read_difficulty(ctx.optional("difficulty"), config.measure)
    ends = (config.begin_token, config.end_token)
    encoded = gathered.encode_corpora(ctx, tokenizer, ends, topics, config.sources)
    streams = encoded.streams()
    _check(streams, config, ", ".join(corpus.id for corpus in ctx.inputs["docs"]))
    order = _in_stream_order(encoded, streams, config, difficulty)
    form = TokenForm(
        dtype=encoder.dtype,
        vocab_size=encoder.vocab_size,
        begin=encoder.begin,
        end=encoder.end,
        tokenizer_sha256=tokenizer_sha256(tokenizer),
        largest_token=gathered.write_tokens(ctx.out, encoded, order, difficulty),
        measure=config.measure if difficulty else "",
    )
    (ctx.out / FORM_FILE).write_text(json.dumps(asdict(form), indent=1) + "\n", "utf-8")
    return {
        "documents": encoded.index.num_rows,
        "streams": len(streams),
        "tokens": encoded.total("length"),
        "bytes": encoded.total("bytes"),
        **_unmeasured(encoded, config, difficulty),
    }


def _check(streams: "Streams", config: TokenizeConfig, corpus: str) -> None:
    only = f" of the sources {config.sources}" if config.sources else ""
    if not streams:
        raise RegraftError(f"{corpus} holds no documents{only}: nothing to tokenize.")
    found = sorted({language for language, _, _ in streams})
    for language in config.ordered_languages:
        if language not in found:
            raise RegraftError(f"{corpus} holds no {language!r} documents{only} to put in order; it holds {found}.")


def _unmeasured(encoded: "Encoded", config: TokenizeConfig, difficulty: dict[str, float] | None) -> Metrics:
    """Return how many documents of each ordered language have no difficulty, so that they stand at the end."""
    if difficulty is None:
        return {}
    ids, languages = (encoded.index.column(name).to_pylist() for name in ("id", "language"))
    without = Counter(lang for id_, lang in zip(ids, languages, strict=True) if math.isnan(difficulty.get(id_, 0.0)))
    return {f"without_difficulty.{language}": without[language] for language in config.ordered_languages}


def _in_stream_order(
    encoded: "Encoded", streams: "Streams", config: TokenizeConfig, difficulty: dict[str, float] | None
) -> "npt.NDArray[np.int64]":
    """Return the rows stream by stream, each stream in its order."""
    import numpy as np

    ordered: list[npt.NDArray[np.int64]] = []
    for (language, _, _), rows in streams.items():
        if config.order is None or language not in config.ordered_languages:
            ordered.append(rows)
            continue
        ids = encoded.index.column("id").take(rows).to_pylist()
        values = [] if difficulty is None else [_value_of(id_, difficulty) for id_ in ids]
        ordered.append(rows[_permutation(config.order, values, ids)])
    return np.concatenate(ordered)


def _permutation(order: Order, difficulty: Sequence[float], ids: Sequence[str]) -> list[int]:
    try:
        indices = order.order(difficulty, ids)
    except IndexError:
        raise ConfigError(f"{order} asks for a difficulty, but the step has no input `difficulty`; wire one.") from None
    if sorted(indices) != list(range(len(ids))):
        raise RegraftError(f"{order} gave no permutation of {len(ids)} documents.")
    return indices


def _value_of(id_: str, difficulty: dict[str, float]) -> float:
    if id_ not in difficulty:
        raise SchemaError(f"document {id_} has no difficulty; score the same corpus that is tokenized.")
    return difficulty[id_]


@dataclass(frozen=True, slots=True, eq=False)
class TokenStore:
    """A TOKENS artifact, opened for reading. `N` documents, `T` tokens."""

    tokens: "npt.NDArray[np.uint16 | np.uint32]"  # [T], memory-mapped
    ids: Ids  # [N]
    streams: "Streams"  # rows of each (language, source, topic), in the order in which they are to be read
    offset: "npt.NDArray[np.int64]"  # [N]
    length: "npt.NDArray[np.int64]"  # [N], begin and end token included
    bytes: "npt.NDArray[np.int64]"  # [N], of the text
    difficulty: "npt.NDArray[np.float64]"  # [N], NaN where not measured
    measure: str  # of difficulty; empty when there is none
    vocab_size: int
    begin: int | None
    end: int | None

    @staticmethod
    def open(path: Path) -> "TokenStore":
        """Open the artifact in the folder `path`.

        Raises:
            SchemaError: the files do not fit together.
        """
        import numpy as np

        from regraft.corpus import tables

        form = TokenForm.read(path)
        index = tables.read(path / tables.INDEX_FILE, tables.INDEX)
        offset, length, sizes, difficulty = (index.column(name).to_numpy() for name in NUMBERS)
        dtype: type[np.uint16 | np.uint32] = np.uint16 if form.dtype == "uint16" else np.uint32
        tokens = np.memmap(path / tables.TOKENS_FILE, dtype=dtype, mode="r")
        if length.sum() != len(tokens):
            raise SchemaError(f"{path}: the index counts {length.sum()} tokens, the file {len(tokens)}.")
        return TokenStore(
            tokens=tokens,
            ids=Ids(index.column("id")),
            streams=_streams(index),
            offset=offset,
            length=length,
            bytes=sizes,
            difficulty=difficulty,
            measure=form.measure,
            vocab_size=form.vocab_size,
            begin=form.begin,
            end=form.end,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def document(self, row: int) -> "npt.NDArray[np.uint16 | np.uint32]":
        """Return the tokens of the document in `row`, begin and end token included."""
        return self.tokens[self.offset[row] : self.offset[row] + self.length[row]]


def _streams(index: "pa.Table") -> "Streams":
    """Return the rows of each stream, streams in the order in which they begin; one is a run of rows, or several."""
    import numpy as np

    columns = [index.column(name).dictionary_encode().combine_chunks() for name in ("language", "source", "topic")]
    codes = [column.indices.to_numpy() for column in columns]
    changes = np.flatnonzero(np.any([np.diff(code) != 0 for code in codes], axis=0)) + 1
    runs: dict[tuple[str, str, str], list[npt.NDArray[np.int64]]] = {}
    for first, end in pairwise([0, *changes.tolist(), index.num_rows]):
        language, source, topic = (column[first].as_py() for column in columns)
        runs.setdefault((language, source, topic), []).append(np.arange(first, end))
    return {stream: np.concatenate(parts) for stream, parts in runs.items()}
