"""Held-out bits per byte: how well a model predicts text that it was never trained on.

Bits per byte can be compared across tokenizers, languages and models; perplexity can not, since it counts tokens.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from regraft.core import Artifact, ConfigError, Context, Kind, Metrics, SchemaError, many, stage
from regraft.core.stage import Role
from regraft.corpus.tokens import NO_TOPIC

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TASK = "held-out text"
METRIC = "bits per byte"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutConfig:
    """What is scored and how. None of the numbers is in the paper."""

    model: str
    """Name of the model in reports."""
    begin_token: str = "<|endoftext|>"
    """Stands before every document, as in training; '' means none, and then the first token is not scored."""
    max_tokens: int = 512
    """Of a document, the begin token included; what lies behind is neither scored nor counted in its bytes."""
    max_bytes: int = 0
    """Of a document, to the last whole character; 0 means no limit. Cuts alike whatever the tokenizer."""
    max_documents: int = 0
    """Of each source, the first ones; 0 means all."""
    languages: tuple[str, ...] = ()
    """Only documents in these; empty means all."""
    sources: tuple[str, ...] = ()
    """Only documents from these; empty means all."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products; models compared with each other need the same one."""
    batch_tokens: int = 4096

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("model is empty; name the model as reports should call it.")
        if self.max_tokens < 2 or self.batch_tokens < 1 or min(self.max_documents, self.max_bytes) < 0:
            raise ConfigError(
                f"max_tokens is {self.max_tokens}, batch_tokens {self.batch_tokens}, max_documents "
                f"{self.max_documents}, max_bytes {self.max_bytes}; at least 2, 1, 0 and 0 are needed."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One document as it is scored."""

    id: str
    cluster: str
    """Documents that are not independent share it."""
    slice: str
    """`language/source/topic`, or `language/source` where no topic is known."""
    tokens: list[int]
    """The first one is context only."""
    bytes: int
    """UTF-8 bytes of the text that the other tokens stand for."""


@stage(
    version=2,
    makes=Kind.EVALUATION,
    model=Kind.CHECKPOINT,
    docs=many(Kind.CORPUS),
    topics=Role(Kind.ANNOTATION, many=True, required=False),
)
def evaluate_held_out(config: HeldOutConfig, ctx: Context) -> Metrics:
    """Write the bits per byte of each language, source and topic with an interval, and of each document.

    Topics are optional: a document without one counts for its language and source. Intervals resample clusters: pages
    of one top folder of a source, and any other document alone.

    Raises:
        SchemaError: nothing is left to score, a document stands in the corpora twice.
    """
    from regraft.corpus import tables
    from regraft.evaluation.slices import metric_rows
    from regraft.lm.load import load_model, load_tokenizer
    from regraft.lm.loss import document_losses
    from regraft.lm.loss_store import LossStore

    folder = ctx.input("model").file("model")
    documents, counts = _documents(config, ctx, load_tokenizer(folder))
    num_tokens = sum(len(d.tokens) - 1 for d in documents)
    model = load_model(folder, device=ctx.execution.device)
    with ctx.track(f"score {config.model}", num_tokens, "tokens") as ticker:
        nats = document_losses(
            model,
            [d.tokens for d in documents],
            batch_tokens=config.batch_tokens,
            precision=config.precision,
            advance=ticker.advance,
            store=LossStore(ctx.scratch / "losses.jsonl"),
        )
    items = [_item(d, loss) for d, loss in zip(documents, nats, strict=True)]
    tables.write(ctx.out / tables.ITEMS_FILE, tables.table_of(items, tables.ITEMS), tables.ITEMS)
    metrics = tables.table_of(metric_rows(config.model, items), tables.METRICS)
    tables.write(ctx.out / tables.METRICS_FILE, metrics, tables.METRICS)
    return {
        "documents": len(documents),
        **counts,
        "clusters": len({d.cluster for d in documents}),
        "tokens": num_tokens,
        "bytes": sum(d.bytes for d in documents),
    } | _bits_by_language(metrics.to_pylist())


class Prefix(NamedTuple):
    """The beginning of a text that is scored."""

    tokens: list[int]
    bytes: int
    """UTF-8 bytes that the scored tokens stand for."""
    is_cut: bool
    """Whether the text goes on behind it."""


def prefix(tokenizer: "Tokenizer", text: str, *, begin: int | None, max_tokens: int, max_bytes: int = 0) -> Prefix:
    """Return the beginning of `text` that has at most `max_tokens` and, unless 0, `max_bytes`.

    The cut falls between characters: a byte-level token may end inside one, and then bytes and tokens would not match.
    Without a `begin` token the first token of the text is context, and its characters are not counted.
    """
    head = text.encode()[:max_bytes].decode(errors="ignore") if max_bytes else text
    encoding = tokenizer.encode(head, add_special_tokens=False)
    ids, offsets = encoding.ids, encoding.offsets
    lead = [] if begin is None else [begin]
    stop = min(len(ids), max_tokens - len(lead))
    while 0 < stop < len(ids) and offsets[stop][0] < offsets[stop - 1][1]:
        stop -= 1
    if len(lead) + stop < 2:
        return Prefix([], 0, is_cut=False)
    end = len(head) if stop == len(ids) else offsets[stop - 1][1]
    start = 0 if lead else offsets[0][1]
    return Prefix(lead + ids[:stop], len(text[start:end].encode()), is_cut=end < len(text))


def cluster(row: Mapping[str, Any]) -> str:
    """Return `source/first folder` of a page, whose neighbours have one author and subject; else the document's id."""
    meta = json.loads(row["meta"])
    folder, slash, _ = str(meta.get("file", "")).partition("/")
    return f"{row['source']}/{folder}" if slash and meta.get("format") == "html" else row["id"]


def _documents(config: HeldOutConfig, ctx: Context, tokenizer: "Tokenizer") -> tuple[list[Scored], dict[str, int]]:
    """Return what is scored, in the order of the corpora, and how many documents have nothing to score or are cut."""
    from regraft.lm.load import token_id

    begin = token_id(tokenizer, config.begin_token)
    topics = _topics(ctx.inputs.get("topics", ()))
    scored: dict[str, Scored] = {}
    counts = {"empty_documents": 0, "cut_documents": 0}
    for row in _chosen(config, ctx.inputs["docs"]):
        tokens, num_bytes, is_cut = prefix(
            tokenizer, row["text"], begin=begin, max_tokens=config.max_tokens, max_bytes=config.max_bytes
        )
        topic = topics.pop(row["id"], "")
        if row["id"] in scored:
            raise SchemaError(f"document {row['id']} is held out twice; give each corpus once.")
        if num_bytes:
            slice_ = "/".join(filter(None, (row["language"] or "unknown", row["source"], topic)))
            scored[row["id"]] = Scored(id=row["id"], cluster=cluster(row), slice=slice_, tokens=tokens, bytes=num_bytes)
        counts["empty_documents"] += not num_bytes
        counts["cut_documents"] += is_cut
    if not scored:
        raise SchemaError(f"no held-out document of languages {config.languages} and sources {config.sources}.")
    return list(scored.values()), counts


def _chosen(config: HeldOutConfig, corpora: tuple[Artifact, ...]) -> Iterator[Mapping[str, Any]]:
    from regraft.corpus import tables

    columns = ["id", "text", "source", "language", "meta"]
    taken: Counter[str] = Counter()
    for corpus in corpora:
        for row in tables.read_shards(corpus.path, tables.DOCUMENTS_FOLDER, tables.DOCUMENTS, columns).to_pylist():
            wanted = (not config.languages or row["language"] in config.languages) and (
                not config.sources or row["source"] in config.sources
            )
            if wanted and (not config.max_documents or taken[row["source"]] < config.max_documents):
                taken[row["source"]] += 1
                yield row


def _topics(annotations: tuple[Artifact, ...]) -> dict[str, str]:
    from regraft.corpus import tables

    paths = [annotation.file(tables.ANNOTATION_FILE) for annotation in annotations]
    found = {r["id"]: r["topic"] for path in paths for r in tables.read(path, tables.TOPICS).to_pylist()}
    return {id_: "" if topic == NO_TOPIC else topic for id_, topic in found.items()}


def _item(document: Scored, nats: float) -> dict[str, Any]:
    return {
        "task": TASK,
        "metric": METRIC,
        "item": document.id,
        "cluster": document.cluster,
        "slice": document.slice,
        "value": nats / math.log(2),
        "weight": float(document.bytes),
    }


def _bits_by_language(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {f"bits_per_byte.{r['slice']}": round(r["value"], 4) for r in rows if "/" not in r["slice"]}
