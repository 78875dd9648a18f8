"""The Arrow schemas of every table on disk; checked at each read and write. Imports pyarrow only.

Perplexity and bits per byte are derived from loss, tokens and bytes, never stored. Losses are sums in nats, sizes are
UTF-8 bytes, shares are fractions of sequences.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from regraft.core import SchemaError

DOCUMENTS_FOLDER = "documents"
REJECTS_FOLDER = "rejects"
DUPLICATES_FILE = "duplicates.parquet"
CONTAMINATION_FILE = "contamination.parquet"
BOILERPLATE_FILE = "boilerplate.parquet"
STATISTICS_FILE = "statistics.parquet"
ANNOTATION_FILE = "annotation.parquet"
TOKENS_FILE = "tokens.bin"
INDEX_FILE = "index.parquet"
STEPS_FILE = "steps.parquet"
SERVED_FILE = "served.parquet"
SKIPPED_FILE = "skipped.parquet"
SHARES_FILE = "shares.parquet"
HELD_OUT_FILE = "held_out.parquet"
EVENTS_FILE = "events.parquet"
STEP_TIMES_FILE = "timing/steps.parquet"
METRICS_FILE = "metrics.parquet"
ITEMS_FILE = "items.parquet"
RESPONSES_FILE = "responses.parquet"
PROBABILITIES_FILE = "probabilities.parquet"
TOPIC_MEASURES_FILE = "topic_measures.parquet"
CONFUSION_FILE = "confusion.parquet"
RELIABILITY_FILE = "reliability.parquet"
LABELS_FILE = "labels.parquet"
DIVERSITY_FILE = "diversity.parquet"
DIVERSITY_COUNTS_FILE = "diversity_counts.parquet"
VERDICTS_FILE = "verdicts.parquet"
PAGES_FILE = "pages.parquet"
SEEDS_FILE = "seeds.parquet"


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, type_, nullable=False) for name, type_ in columns.items()])


_TEXT, _LONG_TEXT, _INT, _FLOAT = pa.string(), pa.large_string(), pa.int64(), pa.float64()

DOCUMENTS = _schema(
    id=_TEXT,  # stable: from origin and content
    text=_LONG_TEXT,
    source=_TEXT,
    language=_TEXT,  # ISO 639-1, empty when unknown
    parents=pa.list_(_TEXT),  # ids of the documents it was made from; empty for a natural document
    meta=_TEXT,  # a JSON object
)
"""A corpus: one row a document, in order, over the files of `documents/` in the order of their names."""

REJECTS = _schema(id=_TEXT, source=_TEXT, stage=_TEXT, reason=_TEXT, detail=_TEXT, excerpt=_LONG_TEXT)
"""Everything dropped or unreadable. `id` is the document's, or `file:line` for a row that never became one."""

DUPLICATES = _schema(id=_TEXT, kept=_TEXT, similarity=_FLOAT)
"""Of a deduplicated corpus: each dropped document, the one that stays for it, and their true Jaccard similarity."""

CONTAMINATION = _schema(
    benchmark=_TEXT,
    item=_TEXT,  # id of the benchmark's document
    part=_TEXT,  # text, question or answer: what of the item matches best
    share=_FLOAT,  # of the words of that part that stand in n-grams of this document
    item_share=_FLOAT,  # the same, of the n-grams of all documents
    documents=_INT,  # in which anything of the item was found
    id=_TEXT,
    source=_TEXT,
    action=_TEXT,  # drop, cut, flag; none where too little was found
)
"""Of a decontaminated corpus: which item was found in which document, the documents that hold most of it."""

BOILERPLATE = _schema(source=_TEXT, line=_LONG_TEXT, documents=_INT)
"""Of a corpus without repeated lines: those that most documents held, as the first document has them."""

TOPICS = _schema(id=_TEXT, topic=_TEXT, probability=_FLOAT)
"""Annotation: the topic of each document."""

PROBABILITIES = _schema(id=_TEXT, topics=pa.list_(_TEXT), probabilities=pa.list_(_FLOAT))
"""Beside `TOPICS`: how probable each topic of a document's taxonomy is; empty lists where it follows none."""

TOPIC_MEASURES = _schema(
    language=_TEXT,  # of the taxonomy; empty for one of every language
    examples=_TEXT,  # test, or seeds: by cross-validation
    measure=_TEXT,  # accuracy, precision, recall, expected_calibration_error
    topic=_TEXT,  # empty for all topics
    value=_FLOAT,
    low=_FLOAT,  # 95 %; NaN where there is no interval
    high=_FLOAT,
    n=_INT,  # documents that it is a share of
)
"""Of a topic classifier: how good it is on labelled documents that it did not learn from."""

CONFUSION = _schema(language=_TEXT, examples=_TEXT, topic=_TEXT, found=_TEXT, documents=_INT)
"""Of a topic classifier: how many documents of a topic were given which; what never occurs is left out."""

RELIABILITY = _schema(
    language=_TEXT,
    examples=_TEXT,
    low=_FLOAT,  # probability of the topic found, from here
    high=_FLOAT,
    confidence=_FLOAT,  # its mean
    accuracy=_FLOAT,
    documents=_INT,
)
"""Of a topic classifier: how often it is right when it is so sure."""

LABELS = _schema(
    id=_TEXT,
    source=_TEXT,
    language=_TEXT,
    topic=_TEXT,  # that most answers name; empty where none names one, or two are named alike often
    votes=_TEXT,  # a JSON object: topic -> answers that name it
    answers=_INT,
    agreement=_FLOAT,  # share of all requests whose answer names `topic`
    status=_TEXT,  # agreed, disagreed, refused (no answer names a topic), not_answered, not_asked (budget)
    requests=pa.list_(_TEXT),  # keys of the responses
)
"""Seeds labelled by a model: every document that was asked about, whatever came of it."""

PAGES = _schema(id=_TEXT, source=_TEXT, language=_TEXT, cheap=_TEXT, strong=_TEXT, disagreement=_FLOAT)
"""Pages chosen for labelling: the topic by each classifier, and how far apart their probabilities are."""

LOSSES = _schema(id=_TEXT, loss=_FLOAT, tokens=_INT, bytes=_INT)
"""Annotation: summed loss in nats over the `tokens` scored tokens that stand for `bytes` bytes of text."""

SIZES = _schema(id=_TEXT, bytes=_INT, characters=_INT, words=_INT, tokens=_INT)
"""Annotation: the size of each document; CJK characters are words."""

MEASURES = _schema(
    id=_TEXT,
    compression_ratio=_FLOAT,  # compressed bytes / bytes
    lexical_diversity=_FLOAT,  # MTLD: mean words until the type-token ratio has fallen
    sentence_length=_FLOAT,  # words a sentence; a CJK character is a word
    reading_ease=_FLOAT,  # Flesch, English only; high is easy
    math_density=_FLOAT,  # digits and mathematical signs among the characters that are no space
)
"""Annotation: what can be measured of a text without a model; NaN where a measure is not defined."""

STATISTICS = _schema(
    source=_TEXT,
    language=_TEXT,
    measure=_TEXT,  # bytes, characters, words, and tokens or tokens_estimated
    documents=_INT,
    total=_INT,
    p10=_INT,  # of the documents have at most so much; p50 half of them, p90 nine tenths
    p50=_INT,
    p90=_INT,
    largest=_INT,
)
"""Of an annotation with sizes: what each source has in each language."""

INDEX = _schema(
    id=_TEXT,
    language=_TEXT,
    source=_TEXT,
    topic=_TEXT,
    offset=_INT,  # first token in tokens.bin
    length=_INT,  # tokens, begin and end token included
    bytes=_INT,  # of the text
    difficulty=_FLOAT,  # by the measure that tokens.json names; NaN where there is none
)
"""Of a TOKENS artifact: one row a document; the rows of a stream stand in curriculum order."""

STEPS = _schema(
    step=_INT,  # from 1
    tokens=_INT,  # consumed since the start, this step included
    loss=_FLOAT,  # mean over the predicted tokens of the step, nats
    learning_rate=_FLOAT,
    gradient_norm=_FLOAT,  # before clipping
)
"""Training, one row an optimizer step."""

SERVED = _schema(
    step=_INT,
    stream=_TEXT,
    sequence=_INT,  # of the stream, from 0
    id=_TEXT,
    start=_INT,  # first token of the document in this piece, begin token included
    stop=_INT,
)
"""Training: which piece of which document each step consumed, in the order of serving; and, in a file of its own, what
was passed over when a training rolled back."""

SHARES = _schema(
    step=_INT,  # decided after this step; 0 is the start
    stream=_TEXT,
    share_before=_FLOAT,  # of the whole mixture, until here
    share=_FLOAT,  # from here on, as it was set
    effective_share=_FLOAT,  # by which it is served from here on: the shares of ended streams have passed to others
    loss=_FLOAT,  # held-out nats a token of the stream's topic; NaN where it is not measured, as all losses here
    loss_before=_FLOAT,  # at the decision before
    initial_loss=_FLOAT,  # under the model that training started from
    target_loss=_FLOAT,  # that the controller compares with; NaN where it compares with none
    error=_FLOAT,  # standard error of loss - loss_before; infinite where documents are too few to tell
    change=_FLOAT,  # since the decision before, of what the controller measures: loss, or perplexity
    delta=_FLOAT,  # what the controller makes of it: normalised change, velocity, excess loss, reward; else 0
    factor=_FLOAT,  # by which it multiplied the share, before bounds; 1 where it did not
    memory=_FLOAT,  # what it noted for its next decision; 0 where nothing
    reason=_TEXT,  # in words, with those of the forgetting guard
)
"""Training: one row for each stream and decision, with all that led to it."""

HELD_OUT = _schema(
    step=_INT,
    language=_TEXT,
    source=_TEXT,
    topic=_TEXT,
    loss=_FLOAT,
    tokens=_INT,
    documents=_INT,
    error=_FLOAT,
)
"""Training: held-out loss inside the loop (sum in nats); `error` is the standard error of nats a token
over its documents."""

EVENTS = _schema(step=_INT, stream=_TEXT, what=_TEXT, detail=_TEXT)
"""Training: what happened to a stream, that it ended and what took its place for instance."""

STEP_TIMES = _schema(
    step=_INT,
    seconds=_FLOAT,  # of data, forward, backward and optimizer
    tokens_per_second=_FLOAT,  # in them
    data_seconds=_FLOAT,  # waiting for the batch
    forward_backward_seconds=_FLOAT,
    optimizer_seconds=_FLOAT,  # clipping included
    evaluation_seconds=_FLOAT,  # this and the next two: since the row before
    checkpoint_seconds=_FLOAT,
    logging_seconds=_FLOAT,
)
"""Training: what the clock said; kept under `timing/`, since it is never the same twice."""

METRICS = _schema(
    model=_TEXT,
    task=_TEXT,
    metric=_TEXT,
    slice=_TEXT,
    value=_FLOAT,
    low=_FLOAT,  # NaN: too few items or clusters for an interval
    high=_FLOAT,
    n=_INT,  # items
    clusters=_INT,  # what was resampled; as many as items where each stands alone
)
"""Evaluation: a figure with its 95 % interval over clusters of items."""

ITEMS = _schema(
    task=_TEXT,
    metric=_TEXT,
    item=_TEXT,
    cluster=_TEXT,  # items of one cluster are not independent: pages of one book; the item itself where it stands alone
    slice=_TEXT,
    value=_FLOAT,
    weight=_FLOAT,
)
"""Evaluation: one row an item and metric, which is sum(value) / sum(weight): bits over bytes, or 0 or 1 over 1."""

SEEDS = _schema(
    id=_TEXT,  # of the document
    start=_INT,  # of the snippet in it, in characters
    end=_INT,
    discipline=_TEXT,
    told_by=_TEXT,  # url, topic, otherwise
    topic=_TEXT,
    loss=_FLOAT,  # held-out bits per byte of the topic; NaN where it is not measured
    failure=_FLOAT,  # failure rate of questions like the snippet; NaN where none were asked
    weight=_FLOAT,  # by which it was drawn in its discipline
    share=_FLOAT,  # of the discipline, while it had snippets left
)
"""Generation: the snippets that were written from, in the order of their requests."""

RESPONSES = _schema(
    key=_TEXT,  # of the request
    model=_TEXT,
    request=_LONG_TEXT,  # JSON body
    response=_LONG_TEXT,  # raw body
    status=_INT,
    prompt_tokens=_INT,
    completion_tokens=_INT,
)
"""Generation: every stored response, as it came."""

DIVERSITY = _schema(
    source=_TEXT,
    language=_TEXT,
    measure=_TEXT,  # distinct_1, distinct_2, distinct_3, self_bleu, compression_ratio, near_duplicates, ...
    value=_FLOAT,
    n=_INT,  # documents that it is measured on
)
"""How varied the synthetic documents of a source and language are."""

DIVERSITY_COUNTS = _schema(
    source=_TEXT,
    language=_TEXT,
    what=_TEXT,  # opening (first words of the problem), discipline, problem_words, solution_words, text_words
    label=_TEXT,
    documents=_INT,
)
"""Beside `DIVERSITY`: how many documents begin so, are of that discipline, have so many words."""

VERDICTS = _schema(
    check=_TEXT,  # round.reason: form, demands, judge, duplicate, program; what one rejects goes to no later round
    pairs=_INT,  # that the round checked
    alone=_INT,  # of them, rejected if this were the only check
    first=_INT,  # rejected by this check and by none before it
    only=_INT,  # rejected by this check and by no other of its round: what leaving it out would let pass
)
"""Generation: which check rejects how many texts."""


def check(table: pa.Table | pa.RecordBatch, schema: pa.Schema, place: object) -> None:
    """Return if `table` has exactly the columns of `schema`, in order, with no nulls.

    Raises:
        SchemaError: names the place and the first column that differs.
    """
    if table.schema.names != schema.names:
        raise SchemaError(f"{place} has the columns {table.schema.names}, but {schema.names} are asked for.")
    for name in schema.names:
        if not table.schema.field(name).type.equals(schema.field(name).type):
            raise SchemaError(f"{place}: {name} is {table.schema.field(name).type}, not {schema.field(name).type}.")
        if table.column(name).null_count:
            raise SchemaError(f"{place}: {name} has {table.column(name).null_count} nulls; none are allowed.")


def table_of(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Build a table from rows; a missing key is a null that `check` refuses.

    Raises:
        SchemaError: a row has a key that is no column.
    """
    given = list(rows)
    unknown = {key for row in given for key in row}.difference(schema.names)
    if unknown:
        raise SchemaError(f"Rows have the keys {sorted(unknown)}, but the table has the columns {schema.names}.")
    return pa.Table.from_pylist(given, schema=schema)


def write(path: Path, table: pa.Table, schema: pa.Schema) -> None:
    """Write a whole table as Parquet: the same rows give the same bytes."""
    with Writer(path, schema) as writer:
        writer.write(table)


def read(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet table and check it; only `columns` when given.

    Raises:
        SchemaError: not this schema, or no Parquet file.
    """
    try:
        table = pq.read_table(path, columns=list(columns) if columns else None)
    except (pa.ArrowInvalid, OSError) as error:
        raise SchemaError(f"{path} cannot be read as Parquet: {error}") from error
    check(table, pa.schema([schema.field(name) for name in columns]) if columns else schema, path)
    return table


def shards(artifact: Path, folder: str) -> list[Path]:
    """Return the Parquet files of a table that is kept in several, in order.

    Raises:
        SchemaError: there is none.
    """
    found = sorted((artifact / folder).glob("*.parquet"))
    if not found:
        raise SchemaError(f"{artifact} holds no {folder}/*.parquet; it is no corpus.")
    return found


def read_shards(artifact: Path, folder: str, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table that is kept in several files as one; only `columns` when given, so that it fits into memory."""
    return pa.concat_tables([read(path, schema, columns) for path in shards(artifact, folder)])


def columns(path: Path) -> list[str]:
    """Return the names of the columns of a Parquet table without reading it."""
    return pq.read_schema(path).names


def num_rows(path: Path) -> int:
    """Return the number of rows of a Parquet table without reading them."""
    return pq.read_metadata(path).num_rows


def batches(path: Path, schema: pa.Schema, size: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet table in order, at most `size` at a time; only `columns` when given.

    Raises:
        SchemaError: not this schema, or no Parquet file.
    """
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise SchemaError(f"{path} cannot be read as Parquet: {error}") from error
    with file:
        check(file.schema_arrow.empty_table(), schema, path)
        yield from file.iter_batches(size, columns=list(columns) if columns else None)


class Writer:
    """Writes a Parquet table batch by batch; the file exists, with its schema, also when nothing was written."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.schema, self.rows = path, schema, 0
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", store_schema=True)

    def write(self, table: pa.Table | pa.RecordBatch) -> None:
        """Append rows.

        Raises:
            SchemaError: they do not have the schema of the table.
        """
        check(table, self.schema, self.path)
        self._writer.write(table)
        self.rows += table.num_rows

    def write_rows(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows given as dictionaries."""
        self.write(table_of(rows, self.schema))

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
