"""Drop documents that say what another one says: word for word, or nearly.

Candidates come from MinHash, but no document is dropped on a hash alone: inside each cluster the true Jaccard
similarity is computed, and a reject names the kept document and that figure. A cluster may be a chain of hundreds of
documents of which few resemble each other: each is compared with the kept ones that its signature is most like.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from regraft.core import ConfigError, Context, Kind, Metrics, SchemaError, many, stage
from regraft.corpus.document import Reject
from regraft.curation.words import words

if TYPE_CHECKING:
    from regraft.curation.minhash import Signatures

COMPARED = 16
"""Kept documents of its cluster that a document is compared with at most, those with the most alike signatures first.

Source: not in the paper.
"""
CHARACTERS = 100_000_000
"""Of texts in memory at once; only a cluster that is larger by itself goes beyond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupConfig:
    """When two documents count as one."""

    bands: int = 14
    rows: int = 8
    """Hashes a band. Source: arXiv:2406.17557 (FineWeb), 14 x 8 hashes [R]."""
    min_similarity: float = 0.75
    """True Jaccard similarity of word 5-grams from which a document is dropped.

    Source: arXiv:2406.17557 (FineWeb) aims at 75 % similarity, without verifying it [R].
    """

    def __post_init__(self) -> None:
        if min(self.bands, self.rows) < 1 or self.bands * self.rows > 112:
            raise ConfigError(f"bands x rows is {self.bands} x {self.rows}; signatures have 112 hashes.")
        if not 0 < self.min_similarity <= 1:
            raise ConfigError(f"min_similarity is {self.min_similarity}; it must be above 0 and at most 1.")


@stage(version=2, makes=Kind.CORPUS, docs=many(Kind.CORPUS))
def deduplicate(config: DedupConfig, ctx: Context) -> Metrics:
    """Write one document of each group of duplicates, over all given corpora, in their order.

    Of a group the longest document stays, the one with the smallest id among equals.

    Raises:
        SchemaError: two documents have one id.
    """
    from regraft.corpus.rows import CorpusWriter, documents
    from regraft.corpus.tables import DOCUMENTS_FILE

    paths = [artifact.file(DOCUMENTS_FILE) for artifact in ctx.inputs["docs"]]
    entries = [_entry(id_, text) for id_, text in _texts(paths)]
    if len({entry.id for entry in entries}) != len(entries):
        raise SchemaError("Two documents have one id. Were the same files ingested twice under one source?")
    dropped = exact_duplicates(entries)
    dropped |= _near_duplicates(paths, entries, dropped, config, ctx)
    with CorpusWriter(ctx.out, "deduplicate") as writer:
        for number, document in enumerate(documents(paths)):
            writer.put(document, dropped.get(number, document))
        return {**writer.metrics(len(entries)), "corpora": len(paths)}


@dataclass(frozen=True, slots=True)
class Entry:
    """What is remembered of a document: little, since all of them are in memory."""

    id: str
    length: int
    """Characters."""
    digest: bytes
    """Of its words."""

    @property
    def rank(self) -> tuple[int, str]:
        """Smallest for the one that stays."""
        return -self.length, self.id


def exact_duplicates(entries: Sequence[Entry]) -> dict[int, Reject]:
    """Return the documents to drop, by number, because another one has the same words in the same order."""
    best: dict[bytes, Entry] = {}
    for entry in entries:
        best[entry.digest] = min(best.get(entry.digest, entry), entry, key=lambda e: e.rank)
    return {
        number: Reject("exact_duplicate", f"of {best[entry.digest].id}")
        for number, entry in enumerate(entries)
        if best[entry.digest] is not entry
    }


def near_duplicates(
    cluster: Sequence[int],
    entries: Sequence[Entry],
    texts: Mapping[int, str],
    hashes: "Signatures",
    min_similarity: float,
) -> dict[int, Reject]:
    """Return the documents of a cluster to drop, each for a kept one that it truly resembles."""
    from regraft.curation.minhash import jaccard, most_alike, shingles

    kept: dict[int, frozenset[str]] = {}
    dropped: dict[int, Reject] = {}
    for number in sorted(cluster, key=lambda n: entries[n].rank):
        own = shingles(texts[number])
        alike = most_alike(hashes, number, list(kept), COMPARED)
        similarity, closest = max(((jaccard(own, kept[n]), -n) for n in alike), default=(0.0, 0))
        if similarity >= min_similarity:
            dropped[number] = Reject("near_duplicate", f"of {entries[-closest].id}, Jaccard {similarity:.3f}")
        else:
            kept[number] = own
    return dropped


def _near_duplicates(
    paths: Sequence[Path], entries: Sequence[Entry], exact: Mapping[int, Reject], config: DedupConfig, ctx: Context
) -> dict[int, Reject]:
    from regraft.curation.minhash import components, groups, signatures

    hashes = signatures(paths, [entry.id for entry in entries], ctx)
    found = groups(components(hashes, config.bands, config.rows))
    clusters = [[number for number in group if number not in exact] for group in found]
    dropped: dict[int, Reject] = {}
    for batch in batches([cluster for cluster in clusters if len(cluster) > 1], entries, CHARACTERS):
        wanted = {number for cluster in batch for number in cluster}
        texts = {number: text for number, (_, text) in enumerate(_texts(paths)) if number in wanted}
        for cluster in batch:
            dropped |= near_duplicates(cluster, entries, texts, hashes, config.min_similarity)
    return dropped


def batches(clusters: Iterable[list[int]], entries: Sequence[Entry], characters: int) -> Iterator[list[list[int]]]:
    """Yield clusters, in order, so many at once that their texts have at most so many characters, but at least one."""
    batch: list[list[int]] = []
    room = characters
    for cluster in clusters:
        size = sum(entries[number].length for number in cluster)
        if batch and size > room:
            yield batch
            batch, room = [], characters
        batch.append(cluster)
        room -= size
    if batch:
        yield batch


def _entry(id_: str, text: str) -> Entry:
    said = " ".join(words(text.casefold())) or text
    return Entry(id_, len(text), hashlib.blake2b(said.encode(), digest_size=16).digest())


def _texts(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
    from regraft.corpus.rows import documents

    return ((document.id, document.text) for document in documents(paths))
