"""The kernel of `choose_pages`: how far two classifiers are apart on each document."""

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any

from regraft.core import Artifact, ConfigError, Context, Metrics, SchemaError
from regraft.corpus import tables
from regraft.corpus.rows import documents
from regraft.mixture.topics.classifier import DECIMALS
from regraft.mixture.topics.examples import EXAMPLES_FILE, Example, labelled_ids, named, write_examples
from regraft.mixture.topics.pages import TO_LABEL_FILE, PageConfig
from regraft.mixture.topics.sampling import in_turn

_BATCH = 4096
LEAST = 10.0**-DECIMALS
"""Probability below which none is taken, since they are stored rounded and a logarithm needs one."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Page:
    """A page, ordered as pages are chosen: most disagreement first, then by id."""

    rank: float
    """The disagreement, negative."""
    id: str
    cheap: str
    strong: str


def total_variation(p: Sequence[float], q: Sequence[float]) -> float:
    """Return half the summed difference of two distributions: 0 for equal ones, 1 for ones without common ground."""
    return math.fsum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2


def kl_divergence(p: Sequence[float], q: Sequence[float]) -> float:
    """Return the divergence of `q` from `p` in nats; probabilities are raised to `LEAST`."""
    return math.fsum(a * math.log(max(a, LEAST) / max(b, LEAST)) for a, b in zip(p, q, strict=True) if a > 0)


def write_pages(config: PageConfig, ctx: Context) -> Metrics:
    """Write the pages and return the figures of the stage."""
    corpus, labelled = ctx.input("docs"), _labelled(config, ctx)
    best, looked_at = _most_apart(config, corpus, ctx.input("cheap"), ctx.input("strong"), labelled)
    pages = list(islice(in_turn(best[topic] for topic in sorted(best)), config.num_pages))
    if not pages:
        raise ConfigError(f"No page of {corpus.id} is left to label: {len(labelled)} are labelled already.")
    wanted = {page.id for page in pages}
    found = {document.id: document for document in documents(corpus) if document.id in wanted}
    write_examples(
        ctx.out / TO_LABEL_FILE,
        (
            Example(topic="", text=found[p.id].text[: config.max_characters], id=p.id, language=found[p.id].language)
            for p in pages
        ),
    )
    rows = (
        {
            "id": page.id,
            "source": found[page.id].source,
            "language": found[page.id].language,
            "cheap": page.cheap,
            "strong": page.strong,
            "disagreement": -page.rank,
        }
        for page in pages
    )
    tables.write(ctx.out / tables.PAGES_FILE, tables.table_of(rows, tables.PAGES), tables.PAGES)
    return {
        "documents": looked_at,
        "labelled_already": len(labelled),
        "pages": len(pages),
        "pages_short": config.num_pages - len(pages),
        "pages_of_two_opinions": sum(page.cheap != page.strong for page in pages),
    }


def _most_apart(
    config: PageConfig, corpus: Artifact, cheap: Artifact, strong: Artifact, labelled: set[str]
) -> tuple[dict[str, list[Page]], int]:
    """Return, by topic of the stronger classifier, the pages of most disagreement in order; and how many were read."""
    apart = total_variation if config.measure == "total_variation" else kl_divergence
    by_topic: dict[str, list[Page]] = {}
    count = 0
    for id_, p, q in _pairs(corpus, strong, cheap):
        count += 1
        if id_ in labelled or not p:
            continue
        strongest, cheapest = max(p, key=p.__getitem__), max(q, key=q.__getitem__)
        page = Page(rank=-apart(list(p.values()), list(q.values())), id=id_, cheap=cheapest, strong=strongest)
        by_topic.setdefault(strongest, []).append(page)
        if len(by_topic[strongest]) >= 2 * config.num_pages:
            by_topic[strongest] = heapq.nsmallest(config.num_pages, by_topic[strongest])
    return {topic: heapq.nsmallest(config.num_pages, pages) for topic, pages in by_topic.items()}, count


def _pairs(
    corpus: Artifact, strong: Artifact, cheap: Artifact
) -> Iterator[tuple[str, dict[str, float], dict[str, float]]]:
    """Yield id and probabilities by the stronger and the cheap classifier, topics in one order, of each document."""
    ids = (document.id for document in documents(corpus))
    for expected, p, q in zip_longest(ids, _probabilities(strong), _probabilities(cheap)):
        if expected is None or p is None or q is None or not expected == p["id"] == q["id"]:
            raise SchemaError(f"{strong.id} or {cheap.id} is an annotation of other documents than {corpus.id}.")
        of_p, of_q = (dict(zip(row["topics"], row["probabilities"], strict=True)) for row in (p, q))
        topics = dict.fromkeys([*of_p, *of_q])
        if bool(of_p) != bool(of_q):
            raise SchemaError(f"Only one of {strong.id} and {cheap.id} labels the document {expected}.")
        yield expected, {t: of_p.get(t, 0.0) for t in topics}, {t: of_q.get(t, 0.0) for t in topics}


def _probabilities(annotation: Artifact) -> Iterator[Mapping[str, Any]]:
    path = annotation.path / tables.PROBABILITIES_FILE
    if not path.is_file():
        raise ConfigError(f"{annotation.id} has no probabilities. Label with keep_probabilities=True.")
    for batch in tables.batches(path, tables.PROBABILITIES, _BATCH):
        yield from batch.to_pylist()


def _labelled(config: PageConfig, ctx: Context) -> set[str]:
    """Return the ids that are labelled already."""
    files = [path for raw in config.labelled for _, path in named(raw.files, ctx.located)]
    files += [given.file(EXAMPLES_FILE) for given in ctx.inputs.get("labelled", ())]
    return {id_ for path in files for id_ in labelled_ids(path)}
